with

    days as (select * from {{ ref("int_calendar__days") }}),

    settings as (select * from {{ ref("int_run__settings") }}),

    periods as (

        select distinct
            'week' as period_type,
            week_start as period_start,
            {{ add_days("week_start", 7) }} as next_period_start
        from days
        union all
        select distinct
            'month' as period_type,
            month_start as period_start,
            {{ add_months("month_start", 1) }} as next_period_start
        from days

    )

select
    periods.period_type,
    periods.period_start,
    {{ add_days("periods.next_period_start", -1) }} as period_end,
    periods.next_period_start,
    periods.next_period_start <= {{ add_days("settings.as_of_date", 1) }} as is_complete
from periods
cross join settings
