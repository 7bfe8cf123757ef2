with

    delivered as ({{ union_connectors("products") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, product_id
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    {{ source_key("product_id", "product") }} as product_id,
    latest.name,
    latest.category,
    latest.brand,
    latest.unit_cost,
    latest.updated_at
from latest
cross join {{ ref("stg_sources") }} as sources
