select
    'files' as source_name,
    refund_id,
    order_id,
    line_number,
    customer_id,
    product_id,
    line_type,
    currency,
    reason,
    amount,
    refunded_at,
    updated_at,
    _file,
    _row
from {{ source("files", "refunds") }}
