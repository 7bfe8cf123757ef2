select
    'files' as source_name,
    order_id,
    line_number,
    product_id,
    product_name,
    category,
    line_type,
    quantity,
    unit_price,
    discount_amount,
    unit_cost,
    updated_at,
    _file,
    _row
from {{ source("files", "order_lines") }}
