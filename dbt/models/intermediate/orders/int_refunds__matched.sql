-- 1. A refund belongs to the order it names (order), and to the line it names or the only
-- merchandise line (line).
-- 2. One that names no order belongs to the same customer's latest earlier order of the same
-- product (customer_and_product).
-- 3. A refund whose order is not known keeps its own date and belongs to the customer it names
-- (none).
-- 4. Rates are those of the order date, for a refund without an order those of its own date.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    orders as (select * from {{ ref("int_orders__dated") }}),

    lines as (select * from {{ ref("int_order_lines__priced") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

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
            refunds.product_id,
            refunds.line_type,
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

    bought as (

        select
            coalesce(accounts.customer_id, emails.customer_id) as customer_id,
            orders.order_id,
            orders.currency,
            orders.ordered_at,
            lines.line_number,
            lines.product_id
        from lines
        inner join orders on lines.order_id = orders.order_id
        left join accounts on orders.account_id = accounts.account_id
        left join
            emails
            on case when accounts.customer_id is null then orders.email_hash end = emails.email_hash
        where lines.quantity > 0

    ),

    latest_bought as (

        select refunds.source_name, refunds.refund_id, bought.order_id, bought.line_number
        from refunds
        inner join accounts on refunds.account_id = accounts.account_id
        inner join
            bought
            on accounts.customer_id = bought.customer_id
            and refunds.product_id = bought.product_id
            and bought.ordered_at < refunds.refunded_at
        where
            refunds.stated_order_id is null
            and bought.currency = coalesce(refunds.stated_currency, bought.currency)
        qualify
            row_number() over (
                partition by refunds.source_name, refunds.refund_id
                order by bought.ordered_at desc, bought.order_id desc, bought.line_number
            )
            = 1

    ),

    matched as (

        select
            refunds.*,
            orders.order_id,
            coalesce(
                lines.line_number, only_lines.line_number, latest_bought.line_number
            ) as line_number,
            case
                when latest_bought.order_id is not null
                then 'customer_and_product'
                when coalesce(lines.line_number, only_lines.line_number) is not null
                then 'line'
                when orders.order_id is not null
                then 'order'
                else 'none'
            end as match_rule,
            orders.order_date,
            coalesce(
                refunds.stated_currency, orders.currency, refunds.reporting_currency
            ) as currency,
            orders.currency as order_currency,
            orders.exchange_rate as order_exchange_rate
        from refunds
        left join
            latest_bought
            on refunds.source_name = latest_bought.source_name
            and refunds.refund_id = latest_bought.refund_id
        left join
            orders on coalesce(refunds.stated_order_id, latest_bought.order_id) = orders.order_id
        left join
            lines
            on refunds.stated_order_id = lines.order_id
            and refunds.stated_line_number = lines.line_number
        left join
            only_lines
            on case
                when refunds.stated_line_number is null and refunds.line_type = 'merchandise'
                then refunds.stated_order_id
            end
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
    product_id,
    currency,
    order_currency,
    line_type,
    reason,
    match_rule,
    amount_refund_currency,
    exchange_rate,
    amount_reporting as amount,
    refund_date,
    order_date,
    refunded_at
from rounded
