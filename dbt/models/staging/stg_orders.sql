with

    delivered as ({{ union_connectors("orders") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, order_id
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select
    latest.source_name,
    {{ source_key("order_id", "order") }} as order_id,
    {{ source_key("customer_id", "customer") }} as customer_id,
    latest.customer_email_hash,
    latest.order_status,
    latest.currency,
    latest.sales_channel,
    latest.acquisition_channel,
    latest.campaign,
    latest.device,
    latest.country_code,
    latest.discount_code,
    latest.merchandise_amount,
    latest.discount_amount,
    latest.shipping_amount,
    latest.tax_amount,
    latest.tip_amount,
    latest.ordered_at,
    latest.updated_at
from latest
cross join {{ ref("stg_sources") }} as sources
