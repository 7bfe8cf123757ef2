with

    questions as (select * from {{ ref("int_preferences__questions") }}),

    texts as (select * from {{ ref("question_texts") }})

select
    questions.question_id,
    questions.customer_id,
    questions.order_id,
    questions.question,
    questions.attribute,
    questions.usual,
    questions.observed,
    case
        when questions.question = 'purchase_outside_profile'
        then 'for somebody else, a new interest, a one-off'
        when questions.attribute = 'interest'
        then 'a changed interest, purchases for somebody else, nothing found'
        else 'a changed preference, a matter of the moment'
    end as possible_explanations,
    texts.language,
    texts.text as question_text,
    questions.status,
    questions.closed_because,
    questions.attribute = 'interest' as is_possible_gift,
    questions.raised_month,
    questions.raised_date,
    questions.closed_date,
    coalesce(orders.ordered_at, cast(questions.raised_date as timestamp)) as raised_at
from questions
left join {{ ref("int_orders__valued") }} as orders on questions.order_id = orders.order_id
left join
    {{ ref("int_contacts__reachable") }} as reachable
    on questions.customer_id = reachable.customer_id
left join
    texts as own
    on questions.question = own.question
    and questions.attribute = own.attribute
    and reachable.language = own.language
inner join
    texts
    on questions.question = texts.question
    and questions.attribute = texts.attribute
    and coalesce(own.language, 'en') = texts.language
