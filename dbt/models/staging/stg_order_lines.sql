with

    delivered as ({{ union_connectors("order_lines") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, order_id, line_number
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    {{ source_key("order_id", "order") }} as order_id,
    latest.line_number,
    {{ source_key("product_id", "product") }} as product_id,
    latest.product_name,
    latest.category,
    latest.line_type,
    latest.quantity,
    latest.unit_price,
    latest.discount_amount,
    latest.unit_cost,
    latest.updated_at
from latest
cross join {{ ref("stg_sources") }} as sources
