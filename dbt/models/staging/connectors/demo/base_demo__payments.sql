select
    'demo' as source_name,
    order_no as order_id,
    payment_no as payment_id,
    method as payment_method,
    amount,
    fee as fee_amount,
    paid_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "payments") }}
