select
    'demo' as source_name,
    review_no as review_id,
    order_no as order_id,
    account as customer_id,
    sku as product_id,
    stars as rating,
    written_at as reviewed_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "reviews") }}
