with

    delivered as ({{ union_connectors("payments") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, order_id, payment_id
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    {{ source_key("order_id", "order") }} as order_id,
    latest.payment_id,
    latest.payment_method,
    latest.amount,
    latest.fee_amount,
    latest.paid_at,
    latest.updated_at
from latest
cross join {{ ref("stg_sources") }} as sources
