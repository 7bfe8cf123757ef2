-- 1. The lines of an order are those of its latest export: a line that is no longer there is gone.
-- 2. What coupons take off a line is what its subtotal exceeds its total by; the discount of the
-- order is the sum of these.
-- 3. Fees are one line of the order, number 0.
with

    items as (

        select *, row_number() over (partition by order_id, _file order by _row) as number_in_order
        from {{ source("woocommerce", "order_items") }}
        qualify _file = max(_file) over (partition by order_id)

    ),

    lines as (

        select
            order_id,
            item_id as line_number,
            nullif(item_product_id, '0') as product_id,
            item_name as product_name,
            'merchandise' as line_type,
            coalesce(nullif(item_quantity, 0), 1) as quantity,
            greatest(item_subtotal, item_total) as amount,
            greatest(item_subtotal - item_total, 0) as discount_amount,
            _file,
            _row
        from items
        union all
        select
            order_id,
            0 as line_number,
            cast(null as string) as product_id,
            cast(null as string) as product_name,
            'fee' as line_type,
            1 as quantity,
            fee_total as amount,
            cast(null as decimal(18, 6)) as discount_amount,
            _file,
            _row
        from items
        where number_in_order = 1 and fee_total <> 0

    )

select
    'woocommerce' as source_name,
    order_id,
    cast(line_number as bigint) as line_number,
    product_id,
    product_name,
    cast(null as string) as category,
    line_type,
    cast(quantity as decimal(18, 3)) as quantity,
    cast(amount / quantity as decimal(18, 6)) as unit_price,
    cast(discount_amount as decimal(18, 6)) as discount_amount,
    cast(null as decimal(18, 6)) as unit_cost,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from lines
