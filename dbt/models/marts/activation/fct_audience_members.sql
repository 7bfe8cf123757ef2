-- The question to ask is told in words.
with

    judged as (select * from {{ ref("int_audiences__judged") }}),

    questions as (

        select customer_id, question_text, 'ask_a_question' as audience
        from {{ ref("fct_clarify_questions") }}
        where status = 'open'

    )

select
    judged.audience,
    judged.customer_id,
    judged.channel,
    judged.language,
    judged.subject_id,
    coalesce(questions.question_text, judged.subject_id) as subject,
    judged.reason,
    judged.has_clean_greeting,
    judged.is_holdout,
    judged.since_date,
    judged.contact_from_date
from judged
left join
    questions on judged.audience = questions.audience and judged.customer_id = questions.customer_id
where judged.excluded_because is null
