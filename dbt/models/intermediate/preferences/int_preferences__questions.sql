-- 1. One question per customer and calendar month: the first reason to ask, and of one day's a
-- purchase outside the profile.
-- 2. A question is closed by the first of: an answer, what the customer then does, the next
-- question, its age. So nobody has two at a time.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    rules as ({{ question_rules() }}),

    stated as (select * from {{ ref("int_preferences__stated") }}),

    acts as (select * from {{ ref("int_preferences__acts") }}),

    reasons as (

        select
            customer_id,
            'purchase_outside_profile' as question,
            'interest' as attribute,
            category as observed,
            usual_category as usual,
            category as settled_by,
            order_id,
            act_number,
            1 as position,
            cast(null as date) as answered_date,
            purchase_date as raised_date
        from {{ ref("int_preferences__surprises") }}
        union all
        select
            customer_id,
            'answer_contradicted',
            attribute,
            observed_value,
            stated_value,
            stated_value,
            order_id,
            act_number,
            case when attribute = 'interest' then 2 else 3 end,
            answered_date,
            raised_date
        from {{ ref("int_preferences__contradictions") }}

    ),

    raised as (

        select *, {{ month_start("raised_date") }} as raised_month
        from reasons
        qualify
            row_number() over (
                partition by customer_id, {{ month_start("raised_date") }}
                order by raised_date, position, act_number
            )
            = 1

    ),

    settled as (

        select
            raised.customer_id,
            raised.raised_month,
            stated.answered_date as closed_date,
            'answered' as closed_because,
            1 as position
        from raised
        inner join
            stated
            on raised.customer_id = stated.customer_id
            and raised.attribute = stated.attribute
            and raised.raised_date < stated.answered_date
        union all
        select
            raised.customer_id,
            raised.raised_month,
            acts.known_date,
            case
                when raised.question = 'purchase_outside_profile'
                then 'bought_again'
                else 'acted_as_answered'
            end,
            2
        from raised
        inner join
            acts
            on raised.customer_id = acts.customer_id
            and raised.attribute = acts.attribute
            and lower(raised.settled_by) = lower(acts.value)
            and raised.act_number < acts.act_number
            and coalesce(raised.answered_date, date '0001-01-01') < acts.done_date
        union all
        select
            customer_id,
            raised_month,
            lead(raised_date) over (partition by customer_id order by raised_month),
            'superseded',
            3
        from raised
        union all
        select
            raised.customer_id,
            raised.raised_month,
            {{ add_days("raised.raised_date", "rules.expires_after_days") }},
            'expired',
            4
        from raised
        cross join rules

    ),

    closed as (

        select
            settled.customer_id, settled.raised_month, settled.closed_date, settled.closed_because
        from settled
        cross join settings
        where settled.closed_date <= settings.as_of_date
        qualify
            row_number() over (
                partition by settled.customer_id, settled.raised_month
                order by settled.closed_date, settled.position
            )
            = 1

    )

select
    raised.customer_id || ':' || cast(raised.raised_month as string) as question_id,
    raised.customer_id,
    raised.order_id,
    raised.question,
    raised.attribute,
    raised.usual,
    raised.observed,
    case when closed.customer_id is null then 'open' else 'closed' end as status,
    closed.closed_because,
    raised.raised_month,
    raised.raised_date,
    closed.closed_date
from raised
left join
    closed on raised.customer_id = closed.customer_id and raised.raised_month = closed.raised_month
