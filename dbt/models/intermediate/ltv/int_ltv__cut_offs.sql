-- Month ends at which a forecast can be made from what was known then, and held against what was
-- bought in the backtest's days after it.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    first_purchase as (

        select min(purchase_date) as first_purchase_date from {{ ref("int_purchases__occasions") }}

    ),

    months as (

        select period_end from {{ ref("int_calendar__periods") }} where period_type = 'month'

    )

select
    months.period_end as cut_off_date,
    {{ add_days("months.period_end", "settings.ltv_backtest_days") }} as graded_until_date
from months
cross join settings
cross join first_purchase
where
    {{ days_between("first_purchase.first_purchase_date", "months.period_end") }}
    >= settings.ltv_min_history_days
    and {{ add_days("months.period_end", "settings.ltv_backtest_days") }} <= settings.as_of_date
