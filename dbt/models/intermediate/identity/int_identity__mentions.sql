-- When facts first and last named an account or an e-mail, alone or together.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    facts as (

        select account_id, email_hash, ordered_at as mentioned_at
        from {{ ref("int_orders__dated") }}
        union all
        select customer_id, cast(null as string), refunded_at
        from {{ ref("stg_refunds") }}
        union all
        select customer_id, customer_email_hash, occurred_at
        from {{ ref("stg_events") }}
        union all
        select customer_id, cast(null as string), reviewed_at
        from {{ ref("stg_reviews") }}
        union all
        select customer_id, customer_email_hash, coalesce(invited_at, responded_at)
        from {{ ref("stg_survey_responses") }}
        union all
        select customer_id, customer_email_hash, opened_at
        from {{ ref("stg_support_tickets") }}
        union all
        select customer_id, cast(null as string), answered_at
        from {{ ref("stg_preferences") }}
        union all
        select referrer_customer_id, cast(null as string), sent_at
        from {{ ref("stg_referrals") }}
        union all
        select
            referred_customer_id,
            referred_email_hash,
            case when converted_at is not null then greatest(converted_at, sent_at) end
        from {{ ref("stg_referrals") }}

    )

select
    facts.account_id,
    facts.email_hash,
    min(facts.mentioned_at) as first_mentioned_at,
    max(facts.mentioned_at) as last_mentioned_at
from facts
cross join settings
where
    (facts.account_id is not null or facts.email_hash is not null)
    and {{ shop_date("facts.mentioned_at", "settings.time_zone") }} <= settings.as_of_date
group by facts.account_id, facts.email_hash
