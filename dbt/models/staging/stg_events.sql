with

    delivered as ({{ union_connectors("events") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (partition by source_name, event_id order by _file desc, _row desc)
            = 1

    )

select
    latest.source_name,
    latest.event_id,
    latest.anonymous_id,
    {{ source_key("customer_id", "customer") }} as customer_id,
    latest.customer_email_hash,
    latest.event_type,
    latest.session_id,
    latest.cart_id,
    {{ source_key("order_id", "order") }} as order_id,
    {{ source_key("product_id", "product") }} as product_id,
    {{ without_addresses("latest.page_url") }} as page_url,
    {{ without_addresses("latest.referrer") }} as referrer,
    latest.channel,
    latest.campaign,
    latest.variant,
    latest.device,
    latest.user_agent,
    {{ without_addresses("latest.search_term") }} as search_term,
    latest.search_results,
    latest.quantity,
    latest.value,
    latest.currency,
    latest.occurred_at
from latest
cross join {{ ref("stg_sources") }} as sources
