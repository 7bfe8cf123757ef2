select
    'files' as source_name,
    order_id,
    payment_id,
    payment_method,
    amount,
    fee_amount,
    paid_at,
    updated_at,
    _file,
    _row
from {{ source("files", "payments") }}
