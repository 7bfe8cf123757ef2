-- Per period: new (first purchase ever), returning (bought in the period before too), resurrected
-- (bought, neither new nor returning), dormant (bought in the period before, not in this one).
with

    periods as (select * from {{ ref("int_calendar__periods") }}),

    purchases as (select * from {{ ref("int_purchases__occasions") }}),

    active as (

        select distinct
            periods.period_type,
            periods.period_start,
            periods.next_period_start,
            purchases.customer_id,
            purchases.first_purchase_date >= periods.period_start as is_new
        from purchases
        inner join
            periods on purchases.purchase_date between periods.period_start and periods.period_end

    ),

    sequenced as (

        select
            *,
            lag(next_period_start) over (
                partition by period_type, customer_id order by period_start
            )
            = period_start as is_returning,
            lead(period_start) over (
                partition by period_type, customer_id order by period_start
            ) as following_active_period
        from active

    ),

    present as (

        select
            period_type,
            period_start,
            count(*) filter (where is_new) as new_customers,
            count(*) filter (where coalesce(is_returning, false)) as returning_customers,
            count(*) filter (
                where not is_new and not coalesce(is_returning, false)
            ) as resurrected_customers
        from sequenced
        group by period_type, period_start

    ),

    absent as (

        select period_type, next_period_start as period_start, count(*) as dormant_customers
        from sequenced
        where following_active_period is null or following_active_period > next_period_start
        group by period_type, next_period_start

    )

select
    periods.period_type,
    periods.period_start,
    cast(coalesce(present.new_customers, 0) as integer) as new_customers,
    cast(coalesce(present.returning_customers, 0) as integer) as returning_customers,
    cast(coalesce(present.resurrected_customers, 0) as integer) as resurrected_customers,
    cast(coalesce(absent.dormant_customers, 0) as integer) as dormant_customers,
    periods.is_complete
from periods
left join
    present
    on periods.period_type = present.period_type
    and periods.period_start = present.period_start
left join
    absent
    on periods.period_type = absent.period_type
    and periods.period_start = absent.period_start
