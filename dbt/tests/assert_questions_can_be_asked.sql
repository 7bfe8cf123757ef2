-- Each rule stands once and in its bounds: a usual category is in more than half of the purchases,
-- else there may be two. Every question has an English text, for those whose language has none.
with

    rules as (select rule, value, count(*) over () as rules from {{ ref("question_rules") }}),

    questions as (

        select question, attribute, count(*) filter (where language = 'en') as texts
        from {{ ref("question_texts") }}
        group by question, attribute

    ),

    asked as (select count(*) as questions from questions where texts = 1)

select rule as what, value as amount
from rules
where
    rules <> 7
    or rule not in (
        'profile_purchases',
        'profile_days',
        'usual_percent',
        'shop_purchases',
        'rare_percent',
        'contradicting_acts',
        'expires_after_days'
    )
    or value < case when rule in ('profile_days', 'rare_percent') then 0 else 1 end
    or (rule = 'usual_percent' and value not between 51 and 100)
    or (rule = 'rare_percent' and value >= 100)
union all
select 'questions with an English text', questions
from asked
where questions <> 3
