-- 1. A refund belongs to the order it names (order), and to the line it names or the only
-- merchandise line (line).
-- 2. A refund whose order is not known keeps its own date and belongs to the customer it names
-- (none).
-- 3. Rates are those of the order date, for a refund without an order those of its own date.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    orders as (select * from {{ ref("int_orders__dated") }}),

    lines as (select * from {{ ref("int_order_lines__priced") }}),

    rates as (select * from {{ ref("int_exchange_rates__periods") }}),

    currencies as (select * from {{ ref("currencies") }}),

    only_lines as (

        select order_id, min(line_number) as line_number
        from lines
        where line_type = 'merchandise'
        group by order_id
        having count(*) = 1

    ),

    refunds as (

        select
            refunds.refund_id,
            refunds.source_name,
            refunds.order_id as stated_order_id,
            refunds.line_number as stated_line_number,
            refunds.customer_id as account_id,
            refunds.currency as stated_currency,
            refunds.reason,
            refunds.amount,
            {{ shop_date("refunds.refunded_at", "settings.time_zone") }} as refund_date,
            refunds.refunded_at,
            settings.reporting_currency
        from {{ ref("stg_refunds") }} as refunds
        cross join settings
        where {{ shop_date("refunds.refunded_at", "settings.time_zone") }} <= settings.as_of_date

    ),

    matched as (

        select
            refunds.*,
            orders.order_id,
            coalesce(lines.line_number, only_lines.line_number) as line_number,
            orders.order_date,
            coalesce(
                refunds.stated_currency, orders.currency, refunds.reporting_currency
            ) as currency,
            orders.currency as order_currency,
            orders.exchange_rate as order_exchange_rate
        from refunds
        left join orders on refunds.stated_order_id = orders.order_id
        left join
            lines
            on refunds.stated_order_id = lines.order_id
            and refunds.stated_line_number = lines.line_number
        left join
            only_lines
            on case when refunds.stated_line_number is null then refunds.stated_order_id end
            = only_lines.order_id

    ),

    rated as (

        select
            matched.*,
            case
                when matched.currency = matched.order_currency
                then matched.order_exchange_rate
                when matched.currency = matched.reporting_currency
                then 1
                else rates.rate
            end as exchange_rate
        from matched
        left join
            rates
            on matched.currency = rates.currency
            and coalesce(matched.order_date, matched.refund_date)
            between rates.valid_from and rates.valid_to

    ),

    rounded as (

        select
            rated.*,
            {{ round_money("rated.amount") }} as amount_refund_currency,
            {{
                money(
                    "round(rated.amount * rated.exchange_rate * reporting.minor_units_per_unit, 0) * reporting.minor_unit_value"
                )
            }}
            as amount_reporting
        from rated
        inner join currencies on rated.currency = currencies.currency
        inner join currencies as reporting on rated.reporting_currency = reporting.currency

    )

select
    refund_id,
    source_name,
    order_id,
    line_number,
    stated_order_id,
    account_id,
    currency,
    order_currency,
    reason,
    case
        when line_number is not null then 'line' when order_id is not null then 'order' else 'none'
    end as match_rule,
    amount_refund_currency,
    exchange_rate,
    amount_reporting as amount,
    refund_date,
    order_date,
    refunded_at
from rounded
