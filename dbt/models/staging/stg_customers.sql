with

    delivered as ({{ union_connectors("customers") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, customer_id
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    {{ source_key("customer_id", "customer") }} as customer_id,
    latest.email_hash,
    latest.country_code,
    latest.language,
    latest.acquisition_channel,
    latest.acquisition_campaign,
    latest.preferred_channel,
    latest.has_marketing_consent,
    latest.created_at,
    latest.updated_at
from latest
cross join {{ ref("stg_sources") }} as sources
