with

    delivered as ({{ union_connectors("shipments") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, shipment_id
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    latest.shipment_id,
    {{ source_key("order_id", "order") }} as order_id,
    latest.carrier,
    latest.cost_amount,
    latest.promised_date,
    latest.shipped_at,
    latest.delivered_at,
    latest.updated_at
from latest
cross join {{ ref("stg_sources") }} as sources
