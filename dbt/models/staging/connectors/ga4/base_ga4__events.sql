-- 1. The export gives events no id: one is made of visitor, time, name and the place in the upload.
-- 2. Rows alike in these are a multiset: over overlapping files each counts as often as in the file
-- that holds it most often. A row of a daily table replaces that of the table of the running day.
-- 3. Without a visitor (consent refused) there is no session either.
with

    events as (

        select
            *,
            coalesce(user_pseudo_id, '')
            || '|'
            || cast(event_timestamp as string)
            || '|'
            || event_name
            || '|'
            || coalesce(event_bundle_sequence_id, '')
            || '|'
            || coalesce(batch_page_id, '')
            || '|'
            || coalesce(batch_ordering_id, '')
            || '|'
            || coalesce(batch_event_index, '') as event_key
        from {{ source("ga4", "events") }}

    ),

    copies as (

        select *, row_number() over (partition by _file, event_key order by _row) as copy_number
        from events

    ),

    typed as (

        select
            *,
            case
                when event_name in ('page_view', 'screen_view')
                then 'page_view'
                when event_name = 'view_item'
                then 'product_view'
                when event_name in ('search', 'view_search_results')
                then 'search'
                when event_name = 'add_to_cart'
                then 'add_to_cart'
                when event_name = 'remove_from_cart'
                then 'remove_from_cart'
                when event_name = 'view_cart'
                then 'cart_view'
                when event_name = 'begin_checkout'
                then 'checkout_started'
                when event_name in ('add_shipping_info', 'add_payment_info')
                then 'checkout_step'
                when event_name = 'purchase'
                then 'purchase'
                when event_name = 'sign_up'
                then 'sign_up'
                when event_name in ('campaign_details', 'view_promotion', 'select_promotion')
                then 'campaign_touch'
                when event_name = 'share'
                then 'share'
                else 'other'
            end as event_type
        from copies
        qualify
            row_number() over (
                partition by event_key, copy_number
                order by case when _file like '%intraday%' then 1 else 0 end, _file desc, _row desc
            )
            = 1

    )

select
    'ga4' as source_name,
    md5(event_key || '|' || cast(copy_number as string)) as event_id,
    user_pseudo_id as anonymous_id,
    user_id as customer_id,
    cast(null as string) as customer_email_hash,
    event_type,
    user_pseudo_id || '.' || session_id as session_id,
    cast(null as string) as cart_id,
    case when event_type = 'purchase' then nullif(transaction_id, '(not set)') end as order_id,
    case
        when event_type in ('product_view', 'add_to_cart', 'remove_from_cart')
        then nullif(item_id, '(not set)')
    end as product_id,
    page_location as page_url,
    page_referrer as referrer,
    nullif(concat_ws(' / ', source, medium), '') as channel,
    coalesce(promotion_name, campaign) as campaign,
    creative_name as variant,
    device_category as device,
    cast(null as string) as user_agent,
    search_term,
    cast(null as bigint) as search_results,
    case when event_type in ('add_to_cart', 'remove_from_cart') then item_quantity end as quantity,
    value,
    currency,
    event_timestamp as occurred_at,
    _file,
    _row
from typed
