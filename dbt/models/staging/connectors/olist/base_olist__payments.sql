select
    'olist' as source_name,
    order_id,
    cast(payment_sequential as string) as payment_id,
    payment_type as payment_method,
    payment_value as amount,
    cast(null as decimal(18, 6)) as fee_amount,
    cast(null as timestamp) as paid_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("olist", "order_payments") }}
