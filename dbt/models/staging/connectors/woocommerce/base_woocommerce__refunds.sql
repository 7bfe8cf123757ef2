-- 1. What was given back for a line stands in the line.
-- 2. Where all was given back, or a sum that names no line, each line bears its share of the sum;
-- the rest of it was postage, fees and tax.
-- 3. The lines do not say when: the order's latest refund does, else the order's own date.
with

    items as (

        select
            *, sum(coalesce(item_refunded, 0)) over (partition by order_id, _file) as lines_refunded
        from {{ source("woocommerce", "order_items") }}
        qualify _file = max(_file) over (partition by order_id)

    ),

    refunds as (

        select
            *,
            case
                when refunded_total >= order_total
                then item_total
                when lines_refunded > 0
                then item_refunded
                else item_total * cast(refunded_total as double) / nullif(order_total, 0)
            end as amount
        from items
        where refunded_total > 0

    )

select
    'woocommerce' as source_name,
    order_id || '-' || cast(item_id as string) as refund_id,
    order_id,
    item_id as line_number,
    nullif(customer_id, '0') as customer_id,
    cast(null as string) as product_id,
    'merchandise' as line_type,
    order_currency as currency,
    cast(null as string) as reason,
    cast(amount as decimal(18, 6)) as amount,
    coalesce(last_refunded_at, order_date) as refunded_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from refunds
where amount > 0
