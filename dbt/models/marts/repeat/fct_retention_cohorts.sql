with

    customers as (select * from {{ ref("int_customers__acquired") }}),

    months as (

        select period_start as month_start, period_end as month_end, is_complete
        from {{ ref("int_calendar__periods") }}
        where period_type = 'month'

    ),

    cohorts as (select cohort_month, count(*) as customers from customers group by cohort_month),

    cells as (

        select
            cohorts.cohort_month,
            cohorts.customers,
            months.month_start,
            {{ months_between("cohorts.cohort_month", "months.month_start") }} as month_since,
            months.is_complete
        from cohorts
        inner join months on cohorts.cohort_month <= months.month_start

    ),

    purchases as (

        select
            customers.cohort_month,
            {{ month_start("purchases.purchase_date") }} as month_start,
            count(distinct purchases.customer_id) as active_in_month,
            sum(purchases.orders) as orders
        from {{ ref("int_purchases__occasions") }} as purchases
        inner join customers on purchases.customer_id = customers.customer_id
        group by 1, 2

    ),

    last_months as (

        select
            cohort_month,
            {{ month_start("last_purchase_date") }} as month_start,
            count(*) as last_active
        from customers
        group by 1, 2

    ),

    sales as (

        select
            customers.cohort_month,
            greatest(
                {{ month_start("entries.entry_date") }}, customers.cohort_month
            ) as month_start,
            sum(entries.net_sales) as net_sales
        from {{ ref("int_sales__entries") }} as entries
        inner join customers on entries.customer_id = customers.customer_id
        group by 1, 2

    ),

    joined as (

        select
            cells.cohort_month,
            cells.month_since,
            cells.customers,
            cells.is_complete,
            coalesce(purchases.active_in_month, 0) as active_in_month,
            coalesce(purchases.orders, 0) as orders,
            coalesce(sales.net_sales, 0) as net_sales,
            sum(coalesce(last_months.last_active, 0)) over (
                partition by cells.cohort_month
                order by cells.month_start desc
                rows unbounded preceding
            ) as active_from_month
        from cells
        left join
            purchases
            on cells.cohort_month = purchases.cohort_month
            and cells.month_start = purchases.month_start
        left join
            last_months
            on cells.cohort_month = last_months.cohort_month
            and cells.month_start = last_months.month_start
        left join
            sales
            on cells.cohort_month = sales.cohort_month
            and cells.month_start = sales.month_start

    ),

    compared as (

        select
            *,
            max(case when month_since = 0 then orders end) over (
                partition by cohort_month
            ) as first_orders,
            max(case when month_since = 0 then net_sales end) over (
                partition by cohort_month
            ) as first_net_sales
        from joined

    )

select
    cohort_month,
    cast(month_since as integer) as month_since,
    cast(customers as integer) as customers,
    cast(active_in_month as integer) as active_in_month,
    case
        when is_complete then {{ share("active_in_month", "customers") }}
    end as retention_in_month,
    cast(active_from_month as integer) as active_from_month,
    {{ share("active_from_month", "customers") }} as retention_from_month,
    cast(orders as integer) as orders,
    case when is_complete then {{ share("orders", "first_orders") }} end as order_retention,
    {{ money("net_sales") }} as net_sales,
    case
        when is_complete
        then {{ share("net_sales", "case when first_net_sales > 0 then first_net_sales end") }}
    end as net_sales_retention,
    is_complete
from compared
