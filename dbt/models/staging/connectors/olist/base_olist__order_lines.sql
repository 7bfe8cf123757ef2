select
    'olist' as source_name,
    order_id,
    order_item_id as line_number,
    product_id,
    cast(null as string) as product_name,
    cast(null as string) as category,
    'merchandise' as line_type,
    cast(1 as decimal(18, 3)) as quantity,
    price as unit_price,
    cast(null as decimal(18, 6)) as discount_amount,
    cast(null as decimal(18, 6)) as unit_cost,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("olist", "order_items") }}
