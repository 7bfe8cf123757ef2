select
    'demo' as source_name,
    sku as product_id,
    title as name,
    category,
    brand,
    purchase_price as unit_cost,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "products") }}
