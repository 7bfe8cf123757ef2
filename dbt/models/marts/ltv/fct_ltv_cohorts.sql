-- 1. A cohort is what a month and a channel have cost and won; with nobody won it has one row.
-- 2. After as_of the curve goes on at what the customers are expected to bring by each month's end.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    customers as (select * from {{ ref("int_customers__acquired") }}),

    shares as (select * from {{ ref("int_ltv__shares") }}),

    months as (

        select period_start as month_start
        from {{ ref("int_calendar__periods") }}
        where period_type = 'month'

    ),

    acquired as (

        select cohort_month, acquisition_channel, count(*) as customers
        from customers
        group by cohort_month, acquisition_channel

    ),

    costs as (

        select
            customers.cohort_month,
            customers.acquisition_channel,
            {{
                share(
                    "sum(purchases.sales_with_known_cost)", "sum(purchases.sales_before_refunds)"
                )
            }} as known_cost_share
        from {{ ref("int_purchases__occasions") }} as purchases
        inner join customers on purchases.customer_id = customers.customer_id
        group by customers.cohort_month, customers.acquisition_channel

    ),

    spend as (

        select month, channel, case when count(*) = count(amount) then sum(amount) end as spend
        from {{ ref("int_campaigns__spend") }}
        group by month, channel

    ),

    cohorts as (

        select
            coalesce(acquired.cohort_month, spend.month) as cohort_month,
            coalesce(acquired.acquisition_channel, spend.channel) as acquisition_channel,
            coalesce(acquired.customers, 0) as customers,
            spend.spend
        from acquired
        full outer join
            spend
            on acquired.cohort_month = spend.month
            and acquired.acquisition_channel = spend.channel
        where acquired.customers > 0 or coalesce(spend.spend, 1) <> 0

    ),

    passed as (

        select cohorts.cohort_month, cohorts.acquisition_channel, months.month_start
        from cohorts
        inner join months on cohorts.cohort_month <= months.month_start
        where cohorts.customers > 0
        union all
        select cohort_month, acquisition_channel, cohort_month as month_start
        from cohorts
        where customers = 0

    ),

    forecasts as (

        select
            totals.cohort_month,
            totals.acquisition_channel,
            {{ month_start("totals.until_date") }} as month_start,
            totals.expected_sales * shares.kept_share as net_sales,
            totals.expected_sales_lower * shares.kept_share as net_sales_lower,
            totals.expected_sales_upper * shares.kept_share as net_sales_upper,
            totals.expected_sales * shares.kept_share * shares.margin_share as margin
        from {{ ref("int_predictions__totals") }} as totals
        cross join shares
        where
            totals.cohort_month is not null
            and totals.expected_sales * shares.kept_share is not null

    ),

    cells as (

        select cohort_month, acquisition_channel, month_start, true as has_begun
        from passed
        union all
        select forecasts.cohort_month, forecasts.acquisition_channel, forecasts.month_start, false
        from forecasts
        cross join settings
        where forecasts.month_start > settings.as_of_date

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

    brought as (

        select
            cells.*,
            cohorts.customers,
            cohorts.spend,
            {{ months_between("cells.cohort_month", "cells.month_start") }} as month_since,
            {{ add_months("cells.month_start", 1) }}
            <= {{ add_days("settings.as_of_date", 1) }} as is_complete,
            case when cells.has_begun then coalesce(sales.net_sales, 0) end as net_sales,
            case when cells.has_begun then coalesce(sales.margin, 0) end as margin,
            forecasts.net_sales as expected_net_sales,
            forecasts.net_sales_lower as expected_net_sales_lower,
            forecasts.net_sales_upper as expected_net_sales_upper,
            forecasts.margin as expected_margin
        from cells
        cross join settings
        inner join
            cohorts
            on cells.cohort_month = cohorts.cohort_month
            and cells.acquisition_channel = cohorts.acquisition_channel
        left join
            sales
            on cells.cohort_month = sales.cohort_month
            and cells.acquisition_channel = sales.acquisition_channel
            and cells.month_start = sales.month_start
        left join
            forecasts
            on cells.cohort_month = forecasts.cohort_month
            and cells.acquisition_channel = forecasts.acquisition_channel
            and cells.month_start = forecasts.month_start

    ),

    cumulated as (

        select
            *,
            case when has_begun then sum(net_sales) over cohort_months end as cumulative_net_sales,
            case when has_begun then sum(margin) over cohort_months end as cumulative_margin,
            {% for bound in ["", "_lower", "_upper"] %}
                sum(net_sales) over cohort
                + expected_net_sales{{ bound }} as predicted_net_sales{{ bound }},
            {% endfor %}
            sum(margin) over cohort + expected_margin as predicted_margin
        from brought
        window
            cohort as (partition by cohort_month, acquisition_channel),
            cohort_months as (
                partition by cohort_month, acquisition_channel
                order by month_start
                rows unbounded preceding
            )

    ),

    paid_back as (

        select
            cohort_month,
            acquisition_channel,
            min(
                case when cumulative_margin >= nullif(spend, 0) then month_since end
            ) as payback_months,
            min(
                case
                    when greatest(cumulative_margin, predicted_margin) >= nullif(spend, 0)
                    then month_since
                end
            ) as predicted_payback_months
        from cumulated
        where customers > 0
        group by cohort_month, acquisition_channel

    )

select
    cumulated.cohort_month,
    cumulated.acquisition_channel,
    cast(cumulated.month_since as integer) as month_since,
    cast(cumulated.customers as integer) as customers,
    {{ money("cumulated.net_sales") }} as net_sales,
    {{ money("cumulated.margin") }} as margin,
    {{ money_per("cumulated.cumulative_net_sales", "cumulated.customers") }}
    as cumulative_net_sales_per_customer,
    {{ money_per("cumulated.cumulative_margin", "cumulated.customers") }}
    as cumulative_margin_per_customer,
    {% for bound in ["", "_lower", "_upper"] %}
        {{ money("cumulated.predicted_net_sales" ~ bound ~ " / nullif(cumulated.customers, 0)") }}
        as predicted_cumulative_net_sales_per_customer{{ bound }},
    {% endfor %}
    {{ money("cumulated.predicted_margin / nullif(cumulated.customers, 0)") }}
    as predicted_cumulative_margin_per_customer,
    {{ money("cumulated.spend") }} as spend,
    {{ money_per("nullif(cumulated.spend, 0)", "cumulated.customers") }} as cac,
    case
        when cumulated.customers > 0
        then {{ share("cumulated.cumulative_margin", "cumulated.spend") }}
    end as ltv_to_cac,
    case
        when cumulated.customers > 0 then cumulated.cumulative_margin >= nullif(cumulated.spend, 0)
    end as is_paid_back,
    cast(paid_back.payback_months as integer) as payback_months,
    cast(paid_back.predicted_payback_months as integer) as predicted_payback_months,
    costs.known_cost_share,
    cumulated.is_complete
from cumulated
left join
    costs
    on cumulated.cohort_month = costs.cohort_month
    and cumulated.acquisition_channel = costs.acquisition_channel
left join
    paid_back
    on cumulated.cohort_month = paid_back.cohort_month
    and cumulated.acquisition_channel = paid_back.acquisition_channel
