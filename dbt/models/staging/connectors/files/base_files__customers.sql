select
    'files' as source_name,
    customer_id,
    email_hash,
    country_code,
    language,
    acquisition_channel,
    acquisition_campaign,
    preferred_channel,
    has_marketing_consent,
    created_at,
    updated_at,
    _file,
    _row
from {{ source("files", "customers") }}
