-- Who is listed several times is listed.
with

    delivered as ({{ union_connectors("suppressions") }}),

    latest as (

        select source_name, customer_id, customer_email_hash, channel, min(reason) as reason
        from delivered
        group by source_name, customer_id, customer_email_hash, channel

    )

select
    latest.source_name,
    {{ source_key("customer_id", "customer") }} as customer_id,
    latest.customer_email_hash,
    latest.channel,
    latest.reason
from latest
cross join {{ ref("stg_sources") }} as sources
