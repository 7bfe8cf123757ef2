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
    latest.value,
    latest.origin
from latest
cross join {{ ref("stg_sources") }} as sources
