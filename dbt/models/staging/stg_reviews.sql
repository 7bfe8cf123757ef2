with

    delivered as ({{ union_connectors("reviews") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, review_id, order_id
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    latest.review_id,
    {{ source_key("order_id", "order") }} as order_id,
    {{ source_key("customer_id", "customer") }} as customer_id,
    {{ source_key("product_id", "product") }} as product_id,
    latest.rating,
    latest.reviewed_at,
    latest.updated_at
from latest
cross join {{ ref("stg_sources") }} as sources
