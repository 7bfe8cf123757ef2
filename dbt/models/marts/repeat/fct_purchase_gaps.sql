-- Gaps after purchases that had follow_up_days to be followed by as_of.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    gaps as (

        select purchases.purchase_number, purchases.days_to_next_purchase
        from {{ ref("int_purchases__occasions") }} as purchases
        cross join settings
        where
            purchases.days_to_next_purchase is not null
            and {{ add_days("purchases.purchase_date", "settings.follow_up_days") }}
            <= settings.as_of_date

    )

select
    cast(purchase_number as integer) as purchase_number,
    cast(count(*) as integer) as gaps,
    cast(avg(days_to_next_purchase) as double) as mean_days,
    cast(percentile_cont(0.5) within group (order by days_to_next_purchase) as double) as p50_days,
    cast(percentile_cont(0.8) within group (order by days_to_next_purchase) as double) as p80_days,
    cast(percentile_cont(0.9) within group (order by days_to_next_purchase) as double) as p90_days,
    cast(percentile_cont(0.95) within group (order by days_to_next_purchase) as double) as p95_days
from gaps
group by purchase_number
