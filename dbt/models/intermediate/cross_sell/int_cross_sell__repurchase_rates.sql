-- The customers of the earlier cut-off in tenths by health score (midranks, so that equal scores
-- stay together), fewer groups where these would have less than 30. A score at a later cut-off
-- belongs to the group whose lowest score it reaches.
with

    cut_offs as (select * from {{ ref("int_cross_sell__cut_offs") }}),

    ranked as (

        select
            cut_offs.cut_off_date,
            customers.health_score,
            customers.has_repurchased,
            count(*) over (partition by cut_offs.cut_off_date) as customers,
            2 * count(*) over (
                partition by cut_offs.cut_off_date
                order by customers.health_score
                range between unbounded preceding and current row
            )
            - count(*) over (
                partition by cut_offs.cut_off_date
                order by customers.health_score
                range between current row and current row
            ) as twice_below
        from cut_offs
        inner join
            {{ ref("int_cross_sell__customers") }} as customers
            on cut_offs.earlier_cut_off_date = customers.cut_off_date

    ),

    divided as (

        select *, least(10, {{ integer_divide("customers", "30") }}) as score_groups
        from ranked
        where customers >= 30

    ),

    grouped as (

        select
            *,
            {{ integer_divide("score_groups * twice_below", "2 * customers") }} + 1 as score_group
        from divided

    ),

    counted as (

        select
            cut_off_date,
            score_group,
            min(health_score) as lowest_score,
            count(*) as customers,
            count(*) filter (where has_repurchased) as repurchased
        from grouped
        group by cut_off_date, score_group

    )

select
    cut_off_date,
    cast(score_group as integer) as score_group,
    case
        when row_number() over cut_off = 1 then cast(0 as double) else lowest_score
    end as lowest_score,
    lead(lowest_score) over cut_off as next_lowest_score,
    cast(customers as integer) as customers,
    cast(repurchased as integer) as repurchased,
    {{ share("repurchased", "customers") }} as repurchase_rate
from counted
window cut_off as (partition by cut_off_date order by score_group)
