-- A silence is called on the day on which it becomes longer than a threshold. Calls of a month are
-- followed for 90 and 180 days, and told only when all of them have been.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    silences as (select * from {{ ref("int_lifecycle__silences") }}),

    calls as (

        select
            'at_risk' as state,
            purchase_bucket,
            next_purchase_date,
            at_risk_from as called_on,
            false as is_fixed_rule
        from silences
        union all
        select 'inactive', purchase_bucket, next_purchase_date, inactive_from, false
        from silences
        union all
        select
            states.state,
            silences.purchase_bucket,
            silences.next_purchase_date,
            {{ add_days("silences.purchase_date", 91) }},
            true
        from silences
        cross join
            (
                select 'at_risk' as state
                union all
                select 'inactive'
            ) as states

    ),

    followed as (

        select
            calls.*,
            {{ month_start("calls.called_on") }} as call_month,
            coalesce(
                {{ days_between("calls.called_on", "calls.next_purchase_date") }} <= 90, false
            ) as is_back_within_90_days,
            coalesce(
                {{ days_between("calls.called_on", "calls.next_purchase_date") }} <= 180, false
            ) as is_back_within_180_days,
            {{ days_between(add_months(month_start("calls.called_on"), 1), "settings.as_of_date") }}
            + 1 as followed_days
        from calls
        cross join settings
        where
            calls.called_on <= settings.as_of_date
            and calls.called_on
            < coalesce(calls.next_purchase_date, {{ add_days("calls.called_on", 1) }})

    )

select
    call_month,
    purchase_bucket,
    state,
    count(*) filter (where not is_fixed_rule) as called,
    case
        when min(followed_days) >= 90
        then count(*) filter (where not is_fixed_rule and is_back_within_90_days)
    end as returned_90_days,
    case
        when min(followed_days) >= 180
        then count(*) filter (where not is_fixed_rule and is_back_within_180_days)
    end as returned_180_days,
    count(*) filter (where is_fixed_rule) as fixed_rule_called,
    case
        when min(followed_days) >= 90
        then count(*) filter (where is_fixed_rule and is_back_within_90_days)
    end as fixed_rule_returned_90_days,
    case
        when min(followed_days) >= 180
        then count(*) filter (where is_fixed_rule and is_back_within_180_days)
    end as fixed_rule_returned_180_days
from followed
group by call_month, purchase_bucket, state
