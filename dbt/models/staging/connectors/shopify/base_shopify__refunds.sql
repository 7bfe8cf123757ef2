-- 1. The order export knows one sum without a date: it takes the day of the cancellation, else that
-- of the order. Merchandise is what taxes on top leave of it, at most what the merchandise
-- brought; the rest is an adjustment (shipping, taxes, tips).
-- 2. The sync tables know lines and shipping given back, and discrepancies. Less given back than
-- the lines are worth lowers the lines, first come first; more, or an amount without lines, is
-- merchandise as far as the order has any left, else an adjustment.
with

    order_rows as (select * from {{ source("shopify", "orders") }}),

    line_rows as (select * from {{ source("shopify", "order_lines") }}),

    refund_rows as (select * from {{ source("shopify", "refunds") }}),

    line_refund_rows as (select * from {{ source("shopify", "order_line_refunds") }}),

    adjustment_rows as (select * from {{ source("shopify", "order_adjustments") }}),

    exported as (select * from {{ ref("base_shopify__exported") }}),

    orders as ({{ shopify_latest("order_rows", "updated_at") }}),

    order_lines as ({{ shopify_latest("line_rows") }}),

    refunds as ({{ shopify_latest("refund_rows") }}),

    line_refunds as ({{ shopify_latest("line_refund_rows") }}),

    adjustments as (

        select
            *, lower(coalesce(kind, reason, 'refund_discrepancy')) like 'shipping%' as is_shipping
        from ({{ shopify_latest("adjustment_rows") }}) as latest_adjustments

    ),

    sums as (

        select
            order_id,
            coalesce(cancelled_at, created_at) as refunded_at,
            refunded_amount,
            case
                when is_incomplete
                then subtotal
                else greatest(order_merchandise - order_discount, 0)
            end as merchandise,
            refunded_amount < total
            and taxes > 0
            and total - subtotal - shipping >= taxes as is_divided,
            cast(refunded_amount as double)
            * cast(subtotal + shipping as double)
            / cast(subtotal + shipping + taxes as double) as without_taxes,
            refunded_amount = floor(refunded_amount) and total = floor(total) as has_no_decimals,
            _file,
            _row
        from exported
        where is_order and refunded_amount > 0

    ),

    divided as (

        select
            *,
            least(
                merchandise,
                case
                    when not coalesce(is_divided, false)
                    then refunded_amount
                    when has_no_decimals
                    then cast(round(without_taxes, 0) as decimal(18, 6))
                    else cast(round(without_taxes, 2) as decimal(18, 6))
                end
            ) as merchandise_refund
        from sums

    ),

    kept as (

        select refund_id, sum(amount) as amount
        from adjustments
        where amount > 0 and not is_shipping
        group by refund_id

    ),

    lines_back as (

        select
            line_refunds.*,
            order_lines.order_id,
            {{ shopify_line_type("order_lines") }} as line_type,
            greatest(
                line_refunds.subtotal - greatest(
                    coalesce(kept.amount, 0) - coalesce(
                        sum(line_refunds.subtotal) over (
                            partition by line_refunds.refund_id
                            order by line_refunds.id
                            rows between unbounded preceding and 1 preceding
                        ),
                        0
                    ),
                    0
                ),
                0
            ) as amount
        from line_refunds
        left join kept on line_refunds.refund_id = kept.refund_id
        left join order_lines on line_refunds.order_line_id = order_lines.id

    ),

    merchandise_back as (

        select order_id, sum(amount) as amount
        from lines_back
        where line_type = 'merchandise'
        group by order_id

    ),

    amounts_back as (

        select
            adjustments.id,
            adjustments.refund_id,
            adjustments._file,
            adjustments._row,
            refunds.order_id,
            - adjustments.amount as amount,
            greatest(
                coalesce(orders.subtotal_price, 0)
                - coalesce(merchandise_back.amount, 0)
                - coalesce(
                    sum(- adjustments.amount) over (
                        partition by refunds.order_id
                        order by adjustments.id
                        rows between unbounded preceding and 1 preceding
                    ),
                    0
                ),
                0
            ) as merchandise_left
        from adjustments
        left join refunds on adjustments.refund_id = refunds.id
        left join orders on refunds.order_id = orders.id
        left join merchandise_back on refunds.order_id = merchandise_back.order_id
        where adjustments.amount < 0 and not adjustments.is_shipping

    ),

    synced as (

        select
            'line-' || id as refund_id,
            refund_id as of_refund_id,
            order_id,
            order_line_id as line_number,
            line_type,
            amount,
            _file,
            _row
        from lines_back
        union all
        select
            'shipping-' || id as refund_id,
            refund_id as of_refund_id,
            cast(null as string) as order_id,
            cast(null as bigint) as line_number,
            'postage' as line_type,
            - amount as amount,
            _file,
            _row
        from adjustments
        where is_shipping
        union all
        select
            'amount-' || id as refund_id,
            refund_id as of_refund_id,
            order_id,
            cast(null as bigint) as line_number,
            'merchandise' as line_type,
            least(amount, merchandise_left) as amount,
            _file,
            _row
        from amounts_back
        union all
        select
            'rest-' || id as refund_id,
            refund_id as of_refund_id,
            order_id,
            cast(null as bigint) as line_number,
            'adjustment' as line_type,
            amount - least(amount, merchandise_left) as amount,
            _file,
            _row
        from amounts_back

    ),

    united as (

        select
            order_id || '-merchandise' as refund_id,
            order_id,
            cast(null as bigint) as line_number,
            'merchandise' as line_type,
            cast(null as string) as reason,
            merchandise_refund as amount,
            refunded_at,
            _file,
            _row
        from divided
        union all
        select
            order_id || '-rest' as refund_id,
            order_id,
            cast(null as bigint) as line_number,
            'adjustment' as line_type,
            cast(null as string) as reason,
            refunded_amount - merchandise_refund as amount,
            refunded_at,
            _file,
            _row
        from divided
        union all
        select
            synced.refund_id,
            coalesce(refunds.order_id, synced.order_id) as order_id,
            synced.line_number,
            synced.line_type,
            refunds.note as reason,
            synced.amount,
            coalesce(
                refunds.processed_at, refunds.created_at, orders.processed_at, orders.created_at
            ) as refunded_at,
            synced._file,
            synced._row
        from synced
        left join refunds on synced.of_refund_id = refunds.id
        left join orders on coalesce(refunds.order_id, synced.order_id) = orders.id

    )

select
    'shopify' as source_name,
    refund_id,
    order_id,
    line_number,
    cast(null as string) as customer_id,
    cast(null as string) as product_id,
    line_type,
    cast(null as string) as currency,
    reason,
    cast(amount as decimal(18, 6)) as amount,
    refunded_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from united
where amount > 0 and refunded_at is not null
