-- The order export names no account; its orders find their customer by e-mail. A customer export
-- without ids knows a customer by e-mail too.
with

    exported as (

        select
            coalesce(replace(customer_id, chr(39), ''), email_hash) as customer_id,
            email,
            email_hash,
            first_name,
            last_name,
            phone,
            phone_hash,
            country_code,
            accepts_email_marketing,
            accepts_sms_marketing,
            _file,
            _row
        from {{ source("shopify", "customers_export") }}

    ),

    united as (

        select
            customer_id,
            email,
            email_hash,
            first_name,
            last_name,
            replace(phone, chr(39), '') as phone,
            phone_hash,
            country_code,
            accepts_email_marketing as has_marketing_consent,
            accepts_sms_marketing as has_sms_consent,
            cast(null as timestamp) as created_at,
            cast(null as timestamp) as updated_at,
            _file,
            _row
        from exported
        where customer_id is not null
        union all
        select
            id as customer_id,
            email,
            email_hash,
            first_name,
            last_name,
            phone,
            phone_hash,
            cast(null as string) as country_code,
            coalesce(
                lower(email_marketing_consent_state) = 'subscribed', accepts_marketing
            ) as has_marketing_consent,
            lower(sms_marketing_consent_state) = 'subscribed' as has_sms_consent,
            created_at,
            updated_at,
            _file,
            _row
        from {{ source("shopify", "customers") }}

    )

select
    'shopify' as source_name,
    customer_id,
    email,
    email_hash,
    first_name,
    last_name,
    phone,
    phone_hash,
    country_code,
    cast(null as string) as language,
    cast(null as string) as acquisition_channel,
    cast(null as string) as acquisition_campaign,
    cast(null as string) as preferred_channel,
    has_marketing_consent,
    has_sms_consent,
    created_at,
    updated_at,
    _file,
    _row
from united
