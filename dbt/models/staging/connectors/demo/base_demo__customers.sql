select
    'demo' as source_name,
    customer_number as customer_id,
    email_hash,
    country as country_code,
    language,
    acquired_by as acquisition_channel,
    cast(null as string) as acquisition_campaign,
    cast(null as string) as preferred_channel,
    newsletter = 'yes' as has_marketing_consent,
    registered_at as created_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "customers") }}
