-- A call may come as a log, in the table tracks and in the table of its event: one row of it
-- counts, one with properties before one without.
with

    calls as (

        select *, lower(type) as call_type
        from {{ source("segment", "logs") }}
        union all
        select *, 'track' as call_type
        from {{ source("segment", "tracks") }}
        union all
        select *, 'page' as call_type
        from {{ source("segment", "pages") }}

    ),

    latest as (

        select *, lower(replace(event, ' ', '_')) as event_name
        from calls
        qualify
            row_number() over (
                partition by message_id
                order by
                    case
                        when coalesce(order_id, cart_id, product_id, query, campaign_name) is null
                        then 1
                        else 0
                    end,
                    _file desc,
                    _row desc
            )
            = 1

    ),

    typed as (

        select
            *,
            case
                when call_type in ('page', 'screen')
                then 'page_view'
                when call_type = 'identify'
                then 'identify'
                when call_type <> 'track'
                then 'other'
                when event_name = 'product_viewed'
                then 'product_view'
                when event_name = 'products_searched'
                then 'search'
                when event_name in ('product_added', 'wishlist_product_added_to_cart')
                then 'add_to_cart'
                when event_name = 'product_removed'
                then 'remove_from_cart'
                when event_name = 'cart_viewed'
                then 'cart_view'
                when event_name = 'checkout_started'
                then 'checkout_started'
                when
                    event_name
                    in ('checkout_step_viewed', 'checkout_step_completed', 'payment_info_entered')
                then 'checkout_step'
                when event_name = 'order_completed'
                then 'purchase'
                when event_name in ('signed_up', 'account_created')
                then 'sign_up'
                when event_name = 'email_opened'
                then 'email_open'
                when event_name = 'email_link_clicked'
                then 'email_click'
                when event_name in ('promotion_viewed', 'promotion_clicked')
                then 'campaign_touch'
                when event_name in ('product_shared', 'cart_shared')
                then 'share'
                else 'other'
            end as event_type
        from latest

    )

select
    'segment' as source_name,
    message_id as event_id,
    anonymous_id,
    user_id as customer_id,
    coalesce(email_hash, context_traits_email_hash) as customer_email_hash,
    event_type,
    cast(null as string) as session_id,
    cart_id,
    order_id,
    product_id,
    page_url,
    referrer,
    nullif(concat_ws(' / ', campaign_source, campaign_medium), '') as channel,
    coalesce(campaign_name, promotion_id, context_campaign_name) as campaign,
    coalesce(creative, campaign_content) as variant,
    cast(null as string) as device,
    user_agent,
    query as search_term,
    cast(null as bigint) as search_results,
    quantity,
    cast(
        coalesce(
            value, revenue, total, cast(price as decimal(28, 6)) * coalesce(quantity, 1)
        ) as decimal(18, 6)
    ) as value,
    currency,
    occurred_at,
    _file,
    _row
from typed
