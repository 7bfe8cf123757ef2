-- A customer_id of Olist belongs to one order; the person is customer_unique_id.
select
    'olist' as source_name,
    customer_unique_id as customer_id,
    cast(null as string) as email_hash,
    'BR' as country_code,
    cast(null as string) as language,
    cast(null as string) as acquisition_channel,
    cast(null as string) as acquisition_campaign,
    cast(null as string) as preferred_channel,
    cast(null as boolean) as has_marketing_consent,
    cast(null as timestamp) as created_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("olist", "customers") }}
