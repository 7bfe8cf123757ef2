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

    ),

    keyed as (

        select
            latest.source_name,
            latest.refund_id,
            {{ source_key("order_id", "order") }} as order_id,
            latest.line_number,
            {{ source_key("customer_id", "customer") }} as customer_id,
            {{ source_key("product_id", "product") }} as product_id,
            latest.line_type,
            latest.currency,
            latest.reason,
            latest.amount,
            latest.refunded_at,
            latest.updated_at
        from latest
        cross join {{ ref("stg_sources") }} as sources

    )

select
    keyed.source_name,
    keyed.refund_id,
    keyed.order_id,
    keyed.line_number,
    keyed.customer_id,
    keyed.product_id,
    coalesce(keyed.line_type, 'merchandise') as line_type,
    keyed.currency,
    {{ impersonal("keyed.reason") }} as reason,
    keyed.amount,
    keyed.refunded_at,
    keyed.updated_at
from keyed
left join {{ ref("stg_orders") }} as orders on keyed.order_id = orders.order_id
left join
    {{ ref("stg_contacts") }} as contacts
    on coalesce(keyed.customer_id, orders.customer_id) = contacts.customer_id
