-- Answers that what followed contradicts: the first so many acts after the answer, and before the
-- next one, are all of something else, though the shop's customers do what was said.
with

    rules as ({{ question_rules() }}),

    acts as (select * from {{ ref("int_preferences__acts") }}),

    done as (

        select attribute, lower(value) as value, min(known_date) as first_known_date
        from acts
        group by attribute, lower(value)

    ),

    answers as (

        select
            stated.*,
            done.first_known_date,
            coalesce(stated.next_answered_date, date '9999-12-31') as until_date
        from {{ ref("int_preferences__stated") }} as stated
        inner join done on stated.attribute = done.attribute and lower(stated.value) = done.value

    ),

    followed as (

        select
            answers.customer_id,
            answers.attribute,
            answers.answered_date,
            answers.value as stated_value,
            answers.first_known_date,
            acts.act_number,
            acts.value,
            acts.order_id,
            acts.known_date,
            dense_rank() over (
                partition by answers.customer_id, answers.attribute, answers.answered_date
                order by acts.act_number
            ) as position
        from answers
        inner join
            acts
            on answers.customer_id = acts.customer_id
            and answers.attribute = acts.attribute
            and answers.answered_date < acts.done_date
            and answers.until_date > acts.known_date

    ),

    first_acts as (

        select followed.*, rules.contradicting_acts
        from followed
        cross join rules
        where followed.position <= rules.contradicting_acts

    ),

    values_done as (

        select
            customer_id,
            attribute,
            answered_date,
            stated_value,
            value,
            min(first_known_date) as first_known_date,
            min(contradicting_acts) as contradicting_acts,
            count(*) as times,
            max(position) as last_position,
            max(act_number) as last_act_number,
            max(known_date) as last_known_date,
            max_by(order_id, position) as last_order_id
        from first_acts
        group by customer_id, attribute, answered_date, stated_value, value

    )

select
    customer_id,
    attribute,
    answered_date,
    stated_value,
    max_by(value, (times, last_position, value)) as observed_value,
    min(last_order_id) filter (where last_position = contradicting_acts) as order_id,
    max(last_act_number) as act_number,
    max(last_known_date) as raised_date
from values_done
group by customer_id, attribute, answered_date, stated_value
having
    max(last_position) = min(contradicting_acts)
    and count(*) filter (where lower(value) = lower(stated_value)) = 0
    and max(last_known_date) >= min(first_known_date)
