with

    delivered as ({{ union_connectors("support_tickets") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, ticket_id
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    latest.ticket_id,
    {{ source_key("customer_id", "customer") }} as customer_id,
    latest.customer_email_hash,
    {{ source_key("order_id", "order") }} as order_id,
    latest.topic,
    latest.satisfaction_score,
    latest.opened_at,
    latest.resolved_at,
    latest.updated_at
from latest
cross join {{ ref("stg_sources") }} as sources
