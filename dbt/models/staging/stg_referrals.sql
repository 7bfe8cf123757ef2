with

    delivered as ({{ union_connectors("referrals") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (partition by source_name, referral_id order by _file desc, _row desc)
            = 1

    )

select
    latest.source_name,
    latest.referral_id,
    {{ source_key("referrer_customer_id", "customer") }} as referrer_customer_id,
    {{ source_key("referred_customer_id", "customer") }} as referred_customer_id,
    latest.referred_email_hash,
    latest.currency,
    latest.reward_amount,
    latest.sent_at,
    latest.converted_at
from latest
cross join {{ ref("stg_sources") }} as sources
