-- The stock of a day is that of the day before, with who entered and without who left.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    transitions as (select * from {{ ref("fct_lifecycle_transitions") }}),

    moves as (

        select
            transition_date,
            to_stage as lifecycle_stage,
            to_segment as segment,
            count(*) as entered,
            0 as exited
        from transitions
        group by transition_date, to_stage, to_segment
        union all
        select transition_date, from_stage, from_segment, 0, count(*)
        from transitions
        where from_stage is not null
        group by transition_date, from_stage, from_segment

    ),

    first_days as (select min(transition_date) as first_date from transitions),

    days as (

        select {{ dates_between("first_days.first_date", "settings.as_of_date") }} as calendar_date
        from first_days
        cross join settings

    ),

    states as (select distinct lifecycle_stage, segment from moves),

    moved as (

        select
            transition_date,
            lifecycle_stage,
            segment,
            sum(entered) as entered,
            sum(exited) as exited
        from moves
        group by transition_date, lifecycle_stage, segment

    )

select
    days.calendar_date as lifecycle_date,
    states.lifecycle_stage,
    states.segment,
    cast(
        sum(coalesce(moved.entered, 0) - coalesce(moved.exited, 0)) over (
            partition by states.lifecycle_stage, states.segment order by days.calendar_date
        ) as bigint
    ) as customers,
    cast(coalesce(moved.entered, 0) as bigint) as entered,
    cast(coalesce(moved.exited, 0) as bigint) as exited
from days
cross join states
left join
    moved
    on days.calendar_date = moved.transition_date
    and states.lifecycle_stage = moved.lifecycle_stage
    and states.segment = moved.segment
