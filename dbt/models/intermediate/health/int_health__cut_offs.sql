-- 1. Month ends at which a score can be made from what was known then, and held against who bought
-- in the 90 days after it: the latest twelve. Before the first purchase has been followed for
-- follow_up_days, no gap is expected of anybody.
-- 2. as_of, for the score of today.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    first_purchase as (

        select min(purchase_date) as first_purchase_date from {{ ref("int_purchases__occasions") }}

    ),

    gradable as (

        select
            months.period_end as cut_off_date,
            {{ add_days("months.period_end", 90) }} as graded_until_date,
            row_number() over (order by months.period_end desc) as position
        from {{ ref("int_calendar__periods") }} as months
        cross join settings
        cross join first_purchase
        where
            months.period_type = 'month'
            and {{ days_between("first_purchase.first_purchase_date", "months.period_end") }}
            >= settings.follow_up_days
            and {{ add_days("months.period_end", 90) }} <= settings.as_of_date

    )

select cut_off_date, graded_until_date
from gradable
where position <= 12
union all
select as_of_date as cut_off_date, cast(null as date) as graded_until_date
from settings
where as_of_date is not null
