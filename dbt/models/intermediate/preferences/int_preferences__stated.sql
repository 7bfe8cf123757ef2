-- What customers say of themselves, day by day, and until when it was their latest answer.
-- 1. The four attributes of the contract alone: what else a shop may note of its customers does not
-- belong into marts.
-- 2. Of one day's answers the last one counts; what was said without a date is none.
-- 3. What is only known to be somebody's by its order is not known before the order.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    orders as (select * from {{ ref("int_orders__valued") }}),

    delivered as (

        select
            source_name,
            customer_id as account_id,
            cast(null as string) as email_hash,
            cast(null as string) as order_id,
            attribute,
            value,
            coalesce(nullif({{ single_blanks("origin") }}, ''), 'profile') as origin,
            answered_at
        from {{ ref("stg_preferences") }}
        union all
        select
            source_name,
            customer_id,
            customer_email_hash,
            order_id,
            survey_type,
            answer,
            'survey',
            responded_at
        from {{ ref("stg_survey_responses") }}

    ),

    answers as (

        select
            coalesce(accounts.customer_id, emails.customer_id, orders.customer_id) as customer_id,
            lower(trim(delivered.attribute)) as attribute,
            nullif({{ single_blanks("delivered.value") }}, '') as value,
            delivered.origin,
            case
                when accounts.customer_id is null and emails.customer_id is null
                then
                    greatest(
                        {{ shop_date("delivered.answered_at", "settings.time_zone") }},
                        orders.order_date
                    )
                else {{ shop_date("delivered.answered_at", "settings.time_zone") }}
            end as answered_date,
            delivered.answered_at,
            delivered.source_name,
            settings.as_of_date
        from delivered
        cross join settings
        left join accounts on delivered.account_id = accounts.account_id
        left join
            emails
            on case when accounts.customer_id is null then delivered.email_hash end
            = emails.email_hash
        left join orders on delivered.order_id = orders.order_id
        where
            lower(trim(delivered.attribute)) in ('channel', 'motive', 'interest', 'persona')
            and delivered.answered_at is not null

    ),

    latest as (

        select customer_id, attribute, value, origin, answered_date, answered_at
        from answers
        where customer_id is not null and value is not null and answered_date <= as_of_date
        qualify
            row_number() over (
                partition by customer_id, attribute, answered_date
                order by answered_at desc, origin, source_name, value
            )
            = 1

    )

select
    customer_id,
    attribute,
    value,
    origin,
    answered_date,
    lead(answered_date) over (
        partition by customer_id, attribute order by answered_date
    ) as next_answered_date,
    answered_at
from latest
