with

    delivered as ({{ union_connectors("preferences") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, customer_id, attribute, answered_at
                order by _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    {{ source_key("customer_id", "customer") }} as customer_id,
    latest.attribute,
    latest.answered_at,
    {{ impersonal("latest.value") }} as value,
    {{ without_addresses("latest.origin") }} as origin
from latest
cross join {{ ref("stg_sources") }} as sources
left join
    {{ ref("stg_contacts") }} as contacts
    on latest.source_name = contacts.source_name
    and {{ source_key("customer_id", "customer") }} = contacts.customer_id
