with

    settings as (select * from {{ ref("int_run__settings") }}),

    days as (

        select {{ dates_between("first_order_date", "as_of_date") }} as calendar_date from settings

    )

select
    calendar_date,
    cast(date_trunc('week', calendar_date) as date) as week_start,
    {{ month_start("calendar_date") }} as month_start
from days
