select
    'woocommerce' as source_name,
    customer_id,
    email,
    email_hash,
    first_name,
    last_name,
    billing_phone as phone,
    billing_phone_hash as phone_hash,
    billing_country as country_code,
    cast(null as string) as language,
    cast(null as string) as acquisition_channel,
    cast(null as string) as acquisition_campaign,
    cast(null as string) as preferred_channel,
    cast(null as boolean) as has_marketing_consent,
    cast(null as boolean) as has_sms_consent,
    date_registered as created_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("woocommerce", "customers") }}
where customer_id <> '0'
