-- Lovers and lurkers among the buyers of each month's end, in order of what they have brought so
-- far, apart by the year of the first purchase. Lurkers between two values of lovers are counted
-- together, for how they stand among themselves changes no comparison.
with

    standings as (

        select standings.*, cast(year(buyers.first_purchase_date) as integer) as cohort_year
        from {{ ref("int_advocacy__standings") }} as standings
        inner join
            {{ ref("int_customers__acquired") }} as buyers
            on standings.customer_id = buyers.customer_id
        where standings.is_buyer and standings.advocacy_tier <> 'liker'

    ),

    -- Before the first lover there is nobody to compare with.
    months as (

        select periods.period_start as month
        from {{ ref("int_calendar__periods") }} as periods
        inner join
            (select min(month) as month from standings where advocacy_tier = 'lover') as first_lover
            on periods.period_start >= first_lover.month
        where periods.period_type = 'month'

    ),

    counted as (

        select
            months.month,
            standings.cohort_year,
            standings.net_sales,
            count(*) filter (where standings.advocacy_tier = 'lover') as lovers,
            count(*) filter (where standings.advocacy_tier = 'lurker') as lurkers
        from standings
        inner join
            months
            on standings.month <= months.month
            and (standings.next_month is null or months.month < standings.next_month)
        group by months.month, standings.cohort_year, standings.net_sales

    ),

    ordered as (

        select
            *,
            2 * sum(case when lovers > 0 then 1 else 0 end) over (
                partition by month, cohort_year order by net_sales
            )
            + case when lovers > 0 then 0 else 1 end as place
        from counted

    )

select
    month,
    cohort_year,
    cast(place as bigint) as place,
    cast(sum(lovers) as bigint) as lovers,
    cast(sum(lurkers) as bigint) as lurkers
from ordered
group by month, cohort_year, place
