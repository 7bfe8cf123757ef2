with

    customers as (select * from {{ ref("int_customers__acquired") }}),

    months as (

        select period_start as month_start, is_complete
        from {{ ref("int_calendar__periods") }}
        where period_type = 'month'

    ),

    cohorts as (

        select cohort_month, acquisition_channel, count(*) as customers
        from customers
        group by cohort_month, acquisition_channel

    ),

    cells as (

        select
            cohorts.*,
            months.month_start,
            months.is_complete,
            {{ months_between("cohorts.cohort_month", "months.month_start") }} as month_since
        from cohorts
        inner join months on cohorts.cohort_month <= months.month_start

    ),

    sales as (

        select
            customers.cohort_month,
            customers.acquisition_channel,
            greatest(
                {{ month_start("entries.entry_date") }}, customers.cohort_month
            ) as month_start,
            sum(entries.net_sales) as net_sales,
            sum(entries.contribution_margin) as margin
        from {{ ref("int_sales__entries") }} as entries
        inner join customers on entries.customer_id = customers.customer_id
        group by 1, 2, 3

    ),

    cumulated as (

        select
            cells.*,
            coalesce(sales.net_sales, 0) as net_sales,
            coalesce(sales.margin, 0) as margin,
            sum(coalesce(sales.net_sales, 0)) over cohort_months as cumulative_net_sales,
            sum(coalesce(sales.margin, 0)) over cohort_months as cumulative_margin
        from cells
        left join
            sales
            on cells.cohort_month = sales.cohort_month
            and cells.acquisition_channel = sales.acquisition_channel
            and cells.month_start = sales.month_start
        window
            cohort_months as (
                partition by cells.cohort_month, cells.acquisition_channel
                order by cells.month_start
                rows unbounded preceding
            )

    )

select
    cohort_month,
    acquisition_channel,
    cast(month_since as integer) as month_since,
    cast(customers as integer) as customers,
    {{ money("net_sales") }} as net_sales,
    {{ money("margin") }} as margin,
    {{ money_per("cumulative_net_sales", "customers") }} as cumulative_net_sales_per_customer,
    {{ money_per("cumulative_margin", "customers") }} as cumulative_margin_per_customer,
    is_complete
from cumulated
