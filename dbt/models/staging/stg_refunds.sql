with

    delivered as ({{ union_connectors("refunds") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, refund_id
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    latest.refund_id,
    {{ source_key("order_id", "order") }} as order_id,
    latest.line_number,
    {{ source_key("customer_id", "customer") }} as customer_id,
    {{ source_key("product_id", "product") }} as product_id,
    coalesce(latest.line_type, 'merchandise') as line_type,
    latest.currency,
    {{ without_addresses("latest.reason") }} as reason,
    latest.amount,
    latest.refunded_at,
    latest.updated_at
from latest
cross join {{ ref("stg_sources") }} as sources
