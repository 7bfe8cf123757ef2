select
    'files' as source_name,
    referral_id,
    referrer_customer_id,
    referred_customer_id,
    referred_email_hash,
    currency,
    reward_amount,
    sent_at,
    converted_at,
    _file,
    _row
from {{ source("files", "referrals") }}
