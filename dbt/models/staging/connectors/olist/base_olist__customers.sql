-- A customer_id of Olist belongs to one order; the person is customer_unique_id.
select
    'olist' as source_name,
    customer_unique_id as customer_id,
    cast(null as string) as email,
    cast(null as string) as email_hash,
    cast(null as string) as first_name,
    cast(null as string) as last_name,
    cast(null as string) as phone,
    cast(null as string) as phone_hash,
    'BR' as country_code,
    cast(null as string) as language,
    cast(null as string) as acquisition_channel,
    cast(null as string) as acquisition_campaign,
    cast(null as string) as preferred_channel,
    cast(null as boolean) as has_marketing_consent,
    cast(null as boolean) as has_sms_consent,
    cast(null as timestamp) as created_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("olist", "customers") }}
