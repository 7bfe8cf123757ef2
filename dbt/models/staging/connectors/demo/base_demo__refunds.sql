select
    'demo' as source_name,
    refund_no as refund_id,
    order_no as order_id,
    line_no as line_number,
    account as customer_id,
    cast(null as string) as product_id,
    cast(null as string) as line_type,
    currency,
    reason,
    amount,
    refunded_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "refunds") }}
