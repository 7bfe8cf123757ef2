select
    'online_retail' as source_name,
    invoice_no as order_id,
    line_number,
    stock_code as product_id,
    description as product_name,
    cast(null as string) as category,
    line_type,
    cast(quantity as decimal(18, 3)) as quantity,
    unit_price,
    cast(null as decimal(18, 6)) as discount_amount,
    cast(null as decimal(18, 6)) as unit_cost,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ ref("base_online_retail__lines") }}
where not is_refund
