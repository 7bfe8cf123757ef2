select
    'files' as source_name,
    review_id,
    order_id,
    customer_id,
    product_id,
    rating,
    reviewed_at,
    updated_at,
    _file,
    _row
from {{ source("files", "reviews") }}
