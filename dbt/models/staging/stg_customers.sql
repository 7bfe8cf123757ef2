select
    source_name,
    customer_id,
    email_hash,
    phone_hash,
    country_code,
    language,
    acquisition_channel,
    acquisition_campaign,
    preferred_channel,
    has_marketing_consent,
    has_sms_consent,
    email_address is not null as has_email_address,
    phone_number is not null as has_phone_number,
    first_name is not null as has_clean_name,
    created_at,
    updated_at
from {{ ref("stg_contacts") }}
