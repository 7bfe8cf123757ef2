select
    'demo' as source_name,
    order_no as order_id,
    line_no as line_number,
    sku as product_id,
    cast(null as string) as product_name,
    cast(null as string) as category,
    case when kind = 'goods' then 'merchandise' else kind end as line_type,
    pieces as quantity,
    list_price as unit_price,
    rebate as discount_amount,
    cast(null as decimal(18, 6)) as unit_cost,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "order_items") }}
