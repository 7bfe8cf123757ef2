-- What the contract holds, by what becomes of it, counted on the contract itself and not on what
-- was made of it.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    currencies as (select * from {{ ref("currencies") }}),

    orders as (

        select
            orders.order_id,
            coalesce(orders.currency, settings.reporting_currency) as currency,
            orders.merchandise_amount,
            {{ shop_date("orders.ordered_at", "settings.time_zone") }}
            > settings.as_of_date as is_after_as_of
        from {{ ref("stg_orders") }} as orders
        cross join settings

    ),

    valued as (select order_id, is_valid, invalid_reason from {{ ref("int_orders__valued") }}),

    matched as (select source_name, refund_id, order_id from {{ ref("int_refunds__matched") }}),

    lines as (

        select
            order_id,
            coalesce(line_type, 'merchandise') as line_type,
            cast(quantity as decimal(28, 3)) * unit_price as amount
        from {{ ref("stg_order_lines") }}

    ),

    amounts as (

        select
            orders.order_id as known_order_id,
            lines.line_type,
            lines.amount,
            orders.currency,
            orders.is_after_as_of
        from lines
        left join orders on lines.order_id = orders.order_id
        union all
        select
            orders.order_id,
            'merchandise',
            orders.merchandise_amount,
            orders.currency,
            orders.is_after_as_of
        from orders
        left join (select distinct order_id from lines) as lined on orders.order_id = lined.order_id
        where lined.order_id is null and orders.merchandise_amount is not null

    ),

    line_categories as (

        select
            'order_lines' as entity,
            case
                when amounts.known_order_id is null
                then 'without order'
                when amounts.is_after_as_of
                then 'after as_of'
                else {{ line_category("amounts.line_type", "valued.invalid_reason") }}
            end as category,
            amounts.currency,
            amounts.amount
        from amounts
        left join valued on amounts.known_order_id = valued.order_id

    ),

    payment_categories as (

        select
            'payments' as entity,
            case
                when orders.order_id is null
                then 'without order'
                when
                    orders.is_after_as_of
                    or {{ shop_date("payments.paid_at", "settings.time_zone") }}
                    > settings.as_of_date
                then 'after as_of'
                when not valued.is_valid
                then 'order not valid'
                else 'sale'
            end as category,
            orders.currency,
            payments.amount
        from {{ ref("stg_payments") }} as payments
        cross join settings
        left join orders on payments.order_id = orders.order_id
        left join valued on payments.order_id = valued.order_id

    ),

    refund_categories as (

        select
            'refunds' as entity,
            case
                when
                    {{ shop_date("refunds.refunded_at", "settings.time_zone") }}
                    > settings.as_of_date
                then 'after as_of'
                when refunds.line_type = 'merchandise' and valued.order_id is null
                then 'without order'
                else {{ line_category("refunds.line_type", "valued.invalid_reason") }}
            end as category,
            coalesce(
                refunds.currency,
                case when not orders.is_after_as_of then orders.currency end,
                settings.reporting_currency
            ) as currency,
            refunds.amount
        from {{ ref("stg_refunds") }} as refunds
        cross join settings
        left join
            matched
            on refunds.source_name = matched.source_name
            and refunds.refund_id = matched.refund_id
        left join orders on coalesce(refunds.order_id, matched.order_id) = orders.order_id
        left join valued on matched.order_id = valued.order_id

    ),

    united as (

        select *
        from line_categories
        union all
        select *
        from payment_categories
        union all
        select *
        from refund_categories

    )

select
    united.entity,
    united.category,
    coalesce(united.currency, 'unknown') as currency,
    count(*) as rows_delivered,
    sum(
        coalesce(
            round(united.amount * currencies.minor_units_per_unit, 0) * currencies.minor_unit_value,
            united.amount
        )
    ) as amount
from united
left join currencies on united.currency = currencies.currency
group by 1, 2, 3
