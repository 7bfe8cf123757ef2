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

    published as (

        select
            'order_lines' as entity,
            {{ line_category("lines.line_type", "orders.invalid_reason") }} as category,
            lines.currency,
            lines.line_amount_order_currency as amount
        from lines
        inner join orders on lines.order_id = orders.order_id
        union all
        select
            'refunds' as entity,
            case
                when refunds.line_type = 'merchandise' and refunds.match_rule = 'none'
                then 'without order'
                else {{ line_category("refunds.line_type", "orders.invalid_reason") }}
            end as category,
            refunds.currency,
            refunds.amount_refund_currency as amount
        from refunds
        left join orders on refunds.order_id = orders.order_id
        union all
        select
            'payments' as entity,
            case when is_valid then 'sale' else 'order not valid' end as category,
            currency,
            payment_order_currency as amount
        from payments
        where payment_order_currency is not null

    ),

    categories as (

        select entity, category, currency, sum(amount) as amount
        from published
        group by entity, category, currency

    ),

    deliveries as (

        select
            case
                coalesce(delivered.entity, categories.entity)
                when 'order_lines'
                then 'delivered lines = order lines'
                when 'refunds'
                then 'delivered refunds = refunds'
                else 'delivered payments = payments of orders'
            end as check_name,
            coalesce(delivered.category, categories.category) as category,
            coalesce(delivered.currency, categories.currency) as currency,
            coalesce(delivered.amount, 0) as amount,
            case
                when
                    delivered.category = 'after as_of'
                    or (delivered.category = 'without order' and delivered.entity <> 'refunds')
                then delivered.amount
                else coalesce(categories.amount, 0)
            end as other_amount
        from delivered
        full outer join
            categories
            on delivered.entity = categories.entity
            and delivered.category = categories.category
            and delivered.currency = categories.currency

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
        where order_id is not null and line_number is null and is_counted
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
        where match_rule = 'none' and is_counted
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
        from deliveries
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
