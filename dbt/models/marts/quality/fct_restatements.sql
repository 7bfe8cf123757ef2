-- 1. What earlier versions have listed stays.
-- 2. Sales of a month are compared over the days up to the published version's as_of; so are first
-- purchases and states.
-- 3. The cause is the first that holds: other rules, other persons, other facts.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    publication as (select * from {{ ref("int_restatements__publication") }}),

    sales as (

        select
            month,
            orders as old_orders,
            gross_sales as old_gross_sales,
            net_sales_by_refund_date as old_net_sales_by_refund_date,
            0 as new_orders,
            0 as new_gross_sales,
            0 as new_net_sales_by_refund_date
        from {{ ref("int_restatements__sales") }}
        union all
        select
            {{ month_start("sales.sales_date") }} as month,
            0,
            0,
            0,
            sales.orders,
            sales.gross_sales,
            sales.net_sales_by_refund_date
        from {{ ref("fct_sales_daily") }} as sales
        cross join publication
        where sales.sales_date <= publication.as_of_date

    ),

    figures as (

        {% for metric in ["orders", "gross_sales", "net_sales_by_refund_date"] -%}
            select
                '{{ metric }}' as metric,
                cast(sum(old_{{ metric }}) as string) as old_value,
                cast(sum(new_{{ metric }}) as string) as new_value,
                false as is_another_person,
                month
            from sales
            group by month
            union all
        {% endfor -%}
        select
            'new_customers' as metric,
            cast(old_customers as string) as old_value,
            cast(new_customers as string) as new_value,
            is_by_other_persons as is_another_person,
            month
        from {{ ref("int_restatements__first_purchases") }}

    ),

    restated as (

        select
            metric,
            cast(null as string) as customer_id,
            old_value,
            new_value,
            is_another_person,
            month as period_start
        from figures
        where old_value <> new_value
        union all
        select
            'state' as metric,
            customer_id,
            old_state as old_value,
            new_state as new_value,
            is_another_person,
            transition_date as period_start
        from {{ ref("int_restatements__states") }}

    )

select run_id, metric, customer_id, old_value, new_value, cause, period_start, restated_at
from {{ ref("int_restatements__listed") }}
union all
select
    settings.run_id,
    restated.metric,
    restated.customer_id,
    restated.old_value,
    restated.new_value,
    case
        when not publication.has_same_rules
        then 'settings, seeds or models were changed'
        when restated.is_another_person
        then 'accounts were merged, separated or given other orders'
        else 'facts came late or were corrected'
    end as cause,
    restated.period_start,
    settings.started_at as restated_at
from restated
cross join settings
cross join publication
