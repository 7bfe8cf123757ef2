-- The name is that of the latest line that sold the product.
select
    'online_retail' as source_name,
    stock_code as product_id,
    description as name,
    cast(null as string) as category,
    cast(null as string) as brand,
    cast(null as decimal(18, 6)) as unit_cost,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ ref("base_online_retail__lines") }}
where line_type = 'merchandise' and not is_refund
qualify
    row_number() over (
        partition by stock_code
        order by
            case when unit_price > 0 then 0 else 1 end,
            case when description is null then 1 else 0 end,
            invoiced_at desc,
            invoice_no desc,
            line_number desc
    )
    = 1
