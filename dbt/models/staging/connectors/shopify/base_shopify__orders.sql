-- 1. The sync tables come first; of orders that they do not hold, the order export.
-- 2. An order whose lines are not all there counts with Shopify's own subtotal.
-- 3. An order's date is processed_at, the one of Shopify's own reports: orders brought along from
-- an earlier shop keep theirs.
with

    synced_rows as (select * from {{ source("shopify", "orders") }}),

    exported as (select * from {{ ref("base_shopify__exported") }}),

    synced as ({{ shopify_latest("synced_rows", "updated_at") }}),

    synced_lines as (select * from {{ ref("base_shopify__synced_lines") }}),

    discounts as (

        select order_id, max(order_discount) as order_discount, max(order_tips) as order_tips
        from synced_lines
        where not is_incomplete
        group by order_id

    ),

    united as (

        select
            order_id,
            cast(null as string) as customer_id,
            email_hash,
            {{
                shopify_order_status(
                    "financial_status",
                    "fulfillment_status",
                    "cancelled_at",
                    "lower(payment_method) like '%bogus%'",
                )
            }} as order_status,
            currency,
            {{ shopify_sales_channel("source") }} as sales_channel,
            country_code,
            discount_code,
            case when is_incomplete then subtotal end as merchandise_amount,
            order_discount as discount_amount,
            shipping as shipping_amount,
            taxes as tax_amount,
            nullif(order_tips, 0) as tip_amount,
            created_at as ordered_at,
            cast(null as timestamp) as updated_at,
            _file,
            _row
        from exported
        where is_order
        union all
        select
            synced.id as order_id,
            synced.customer_id,
            synced.email_hash,
            {{
                shopify_order_status(
                    "synced.financial_status",
                    "synced.fulfillment_status",
                    "case when synced.is_deleted then synced.created_at else synced.cancelled_at end",
                    "synced.is_test",
                )
            }}
            as order_status,
            synced.currency,
            {{ shopify_sales_channel("synced.source_name") }} as sales_channel,
            coalesce(synced.shipping_country_code, synced.billing_country_code) as country_code,
            cast(null as string) as discount_code,
            case
                when discounts.order_id is null then synced.subtotal_price
            end as merchandise_amount,
            discounts.order_discount as discount_amount,
            synced.total_price
            - synced.subtotal_price
            - coalesce(synced.total_tip_received, 0)
            - case
                when synced.taxes_included then 0 else coalesce(synced.total_tax, 0)
            end as shipping_amount,
            synced.total_tax as tax_amount,
            coalesce(synced.total_tip_received, discounts.order_tips) as tip_amount,
            coalesce(synced.processed_at, synced.created_at) as ordered_at,
            synced.updated_at,
            synced._file,
            synced._row
        from synced
        left join discounts on synced.id = discounts.order_id

    )

select
    'shopify' as source_name,
    order_id,
    customer_id,
    email_hash as customer_email_hash,
    order_status,
    currency,
    sales_channel,
    cast(null as string) as acquisition_channel,
    cast(null as string) as campaign,
    cast(null as string) as device,
    country_code,
    discount_code,
    cast(merchandise_amount as decimal(18, 6)) as merchandise_amount,
    cast(discount_amount as decimal(18, 6)) as discount_amount,
    cast(shipping_amount as decimal(18, 6)) as shipping_amount,
    cast(tax_amount as decimal(18, 6)) as tax_amount,
    cast(tip_amount as decimal(18, 6)) as tip_amount,
    ordered_at,
    updated_at,
    _file,
    _row
from united
