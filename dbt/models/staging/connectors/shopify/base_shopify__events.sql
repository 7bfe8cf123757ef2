-- An abandoned checkout is a cart that came as far as the checkout: two events, never an order.
with

    rows_delivered as (select * from {{ source("shopify", "abandoned_checkouts") }}),

    checkouts as ({{ shopify_latest("rows_delivered", "updated_at") }}),

    steps as (

        select 'add_to_cart' as event_type
        union all
        select 'checkout_started' as event_type

    )

select
    'shopify' as source_name,
    'checkout-' || checkouts.id || '-' || steps.event_type as event_id,
    cast(null as string) as anonymous_id,
    checkouts.customer_id,
    checkouts.email_hash as customer_email_hash,
    steps.event_type,
    cast(null as string) as session_id,
    coalesce(checkouts.cart_token, 'checkout-' || checkouts.id) as cart_id,
    cast(null as string) as order_id,
    cast(null as string) as product_id,
    checkouts.landing_site as page_url,
    checkouts.referring_site as referrer,
    cast(null as string) as channel,
    cast(null as string) as campaign,
    cast(null as string) as variant,
    cast(null as string) as device,
    cast(null as string) as user_agent,
    cast(null as string) as search_term,
    cast(null as bigint) as search_results,
    cast(null as decimal(18, 3)) as quantity,
    checkouts.subtotal_price as value,
    coalesce(checkouts.presentment_currency, checkouts.currency) as currency,
    checkouts.created_at as occurred_at,
    checkouts._file,
    checkouts._row
from checkouts
cross join steps
