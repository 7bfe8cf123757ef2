with

    months as (

        select period_start as month_start, is_complete
        from {{ ref("int_calendar__periods") }}
        where period_type = 'month'

    ),

    -- A refund that belongs to no order may come before the first order: it counts in the first
    -- month.
    entries as (

        select
            *,
            greatest(
                {{ month_start("entry_date") }}, (select min(month_start) from months)
            ) as month_start
        from {{ ref("int_sales__entries") }}

    ),

    monthly as (

        select
            month_start,
            sum(net_sales) as net_sales,
            sum(net_sales) filter (where purchase_number >= 2) as repeat_net_sales,
            sum(net_sales) filter (where customer_id is null) as unattributed_net_sales,
            count(distinct customer_id) filter (where entry_type = 'order') as customers,
            count(distinct customer_id) filter (where order_number >= 2) as returning_customers
        from entries
        group by month_start

    ),

    benchmarks as (

        select
            max(lower_value) filter (
                where figure = 'repeat_revenue_share'
            ) as repeat_revenue_share_lower,
            max(upper_value) filter (
                where figure = 'repeat_revenue_share'
            ) as repeat_revenue_share_upper,
            max(lower_value) filter (
                where figure = 'returning_customer_revenue_share'
            ) as returning_customer_revenue_share
        from {{ ref("industry_benchmarks") }}

    )

select
    months.month_start as month,
    {{ money("coalesce(monthly.net_sales, 0)") }} as net_sales,
    {{ money("coalesce(monthly.repeat_net_sales, 0)") }} as repeat_net_sales,
    {{ money("coalesce(monthly.unattributed_net_sales, 0)") }} as unattributed_net_sales,
    {{
        share(
            "coalesce(monthly.repeat_net_sales, 0)",
            "case when monthly.net_sales > 0 then monthly.net_sales end",
        )
    }} as repeat_revenue_share,
    cast(coalesce(monthly.customers, 0) as integer) as customers,
    cast(coalesce(monthly.returning_customers, 0) as integer) as returning_customers,
    {{ share("monthly.returning_customers", "monthly.customers") }} as returning_customer_rate,
    benchmarks.repeat_revenue_share_lower as benchmark_repeat_revenue_share_lower,
    benchmarks.repeat_revenue_share_upper as benchmark_repeat_revenue_share_upper,
    benchmarks.returning_customer_revenue_share as benchmark_returning_customer_revenue_share,
    months.is_complete
from months
cross join benchmarks
left join monthly on months.month_start = monthly.month_start
