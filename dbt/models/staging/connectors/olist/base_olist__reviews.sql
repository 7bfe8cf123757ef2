select
    'olist' as source_name,
    review_id,
    order_id,
    cast(null as string) as customer_id,
    cast(null as string) as product_id,
    cast(review_score as decimal(5, 2)) as rating,
    review_creation_date as reviewed_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("olist", "order_reviews") }}
