-- Each row holds two sums of the same thing, made on different ways. `amount` is nearer to the
-- source.
with

    delivered as (select * from {{ ref("int_reconciliation__delivered") }}),

    files as (select * from {{ ref("int_intake__files") }}),

    orders as (select * from {{ ref("fct_orders") }}),

    lines as (select * from {{ ref("fct_order_lines") }}),

    refunds as (select * from {{ ref("fct_refunds") }}),

    days as (select * from {{ ref("fct_sales_daily") }}),

    payments as (select * from {{ ref("int_orders__valued") }}),

    settings as (select * from {{ ref("int_run__settings") }}),

    records as (

        select
            'records = loaded + rejected' as check_name,
            connector || '.' || coalesce(entity, 'unrecognised') as category,
            cast(null as string) as currency,
            sum(records) as amount,
            sum(loaded + rejected) as other_amount
        from files
        where status in ('loaded', 'held')
        group by 1, 2

    ),

    line_values as (

        select
            case
                when not is_valid
                then 'order not valid'
                when line_type = 'merchandise'
                then 'sale'
                else line_type
            end as category,
            currency,
            sum(line_amount_order_currency) as amount
        from lines
        group by 1, 2

    ),

    delivered_lines as (

        select
            'delivered lines = order lines' as check_name,
            delivered.category,
            delivered.currency,
            delivered.amount,
            case
                when delivered.category in ('without order', 'after as_of')
                then delivered.amount
                else coalesce(line_values.amount, 0)
            end as other_amount
        from delivered
        left join
            line_values
            on delivered.category = line_values.category
            and delivered.currency = line_values.currency
        where delivered.entity = 'order_lines'

    ),

    delivered_refunds as (

        select
            'delivered refunds = refunds' as check_name,
            delivered.category,
            delivered.currency,
            delivered.amount,
            case
                when delivered.category = 'after as_of'
                then delivered.amount
                else coalesce(refund_values.amount, 0)
            end as other_amount
        from delivered
        left join
            (
                select
                    case
                        when not is_counted
                        then 'order not valid'
                        when match_rule = 'none'
                        then 'without order'
                        else 'sale'
                    end as category,
                    currency,
                    sum(amount_refund_currency) as amount
                from refunds
                group by 1, 2
            ) as refund_values
            on delivered.category = refund_values.category
            and delivered.currency = refund_values.currency
        where delivered.entity = 'refunds'

    ),

    delivered_payments as (

        select
            'delivered payments = payments of orders' as check_name,
            delivered.category,
            delivered.currency,
            delivered.amount,
            case
                when delivered.category in ('without order', 'after as_of')
                then delivered.amount
                else coalesce(payment_values.amount, 0)
            end as other_amount
        from delivered
        left join
            (
                select
                    case when is_valid then 'sale' else 'order not valid' end as category,
                    currency,
                    sum(payment_order_currency) as amount
                from payments
                group by 1, 2
            ) as payment_values
            on delivered.category = payment_values.category
            and delivered.currency = payment_values.currency
        where delivered.entity = 'payments'

    ),

    line_nets as (

        select currency, sum(net_sales_order_currency) as amount
        from lines
        where is_valid
        group by currency

    ),

    whole_order_refunds as (

        select currency, sum(amount_refund_currency) as amount
        from refunds
        where match_rule = 'order' and is_counted
        group by currency

    ),

    order_nets as (

        select currency, sum(net_sales_order_currency) as amount, sum(net_sales) as reporting_amount
        from orders
        where is_valid
        group by currency

    ),

    orphan_refunds as (

        select currency, sum(amount) as reporting_amount
        from refunds
        where match_rule = 'none'
        group by currency

    ),

    lines_to_orders as (

        select
            'lines - refunds of whole orders = orders' as check_name,
            'net_sales' as category,
            order_nets.currency,
            coalesce(line_nets.amount, 0) - coalesce(whole_order_refunds.amount, 0) as amount,
            order_nets.amount as other_amount
        from order_nets
        left join line_nets on order_nets.currency = line_nets.currency
        left join whole_order_refunds on order_nets.currency = whole_order_refunds.currency

    ),

    orders_to_days as (

        select
            'orders - refunds without order = days' as check_name,
            'net_sales' as category,
            united.currency,
            sum(united.order_amount) as amount,
            sum(united.day_amount) as other_amount
        from
            (
                select currency, reporting_amount as order_amount, 0 as day_amount
                from order_nets
                union all
                select currency, - reporting_amount as order_amount, 0 as day_amount
                from orphan_refunds
                union all
                select currency, 0 as order_amount, net_sales_by_order_date as day_amount
                from days
            ) as united
        group by united.currency

    ),

    refund_datings as (

        select
            'refunds by order date = refunds by refund date' as check_name,
            'refunds' as category,
            currency,
            sum(refunds_by_order_date) as amount,
            sum(refunds_by_refund_date) as other_amount
        from days
        group by currency

    ),

    shop as (

        select
            settings.reporting_currency,
            coalesce((select sum(reporting_amount) from order_nets), 0)
            - coalesce((select sum(reporting_amount) from orphan_refunds), 0) as net_sales,
            coalesce(
                (
                    select sum(net_sales)
                    from {{ ref("int_sales__entries") }}
                    where customer_id is null
                ),
                0
            ) as unattributed,
            coalesce((select sum(net_sales) from {{ ref("dim_customers") }}), 0) as customers,
            coalesce(
                (select sum(net_sales) from {{ ref("dim_customers") }} where order_count > 0), 0
            ) as buyers,
            coalesce((select sum(net_sales) from {{ ref("fct_ltv_cohorts") }}), 0) as ltv_cohorts,
            coalesce(
                (select sum(net_sales) from {{ ref("fct_retention_cohorts") }}), 0
            ) as retention_cohorts,
            coalesce(
                (select sum(net_sales) from {{ ref("fct_repeat_revenue_monthly") }}), 0
            ) as months
        from settings

    ),

    shop_checks as (

        select
            'orders - refunds without order = customers + unattributed' as check_name,
            'net_sales' as category,
            reporting_currency as currency,
            net_sales as amount,
            customers + unattributed as other_amount
        from shop
        union all
        select 'buyers = value cohorts', 'net_sales', reporting_currency, buyers, ltv_cohorts
        from shop
        union all
        select
            'buyers = retention cohorts', 'net_sales', reporting_currency, buyers, retention_cohorts
        from shop
        union all
        select
            'orders - refunds without order = months',
            'net_sales',
            reporting_currency,
            net_sales,
            months
        from shop

    ),

    united as (

        select *
        from records
        union all
        select *
        from delivered_lines
        union all
        select *
        from delivered_refunds
        union all
        select *
        from delivered_payments
        union all
        select *
        from lines_to_orders
        union all
        select *
        from orders_to_days
        union all
        select *
        from refund_datings
        union all
        select *
        from shop_checks

    )

select
    check_name,
    category,
    currency,
    {{ money("amount") }} as amount,
    {{ money("other_amount") }} as other_amount,
    {{ money("amount - other_amount") }} as difference,
    amount = other_amount as is_balanced
from united
