select
    'demo' as source_name,
    invite_no as referral_id,
    inviter as referrer_customer_id,
    friend as referred_customer_id,
    friend_email_hash as referred_email_hash,
    currency,
    reward as reward_amount,
    sent_at,
    counted_at as converted_at,
    _file,
    _row
from {{ source("demo", "referrals") }}
