select
    'demo' as source_name,
    event_no as event_id,
    visitor_cookie as anonymous_id,
    account as customer_id,
    contact_email_hash as customer_email_hash,
    case
        kind
        when 'view_page'
        then 'page_view'
        when 'view_product'
        then 'product_view'
        when 'basket_add'
        then 'add_to_cart'
        when 'basket_remove'
        then 'remove_from_cart'
        when 'checkout'
        then 'checkout_started'
        when 'order'
        then 'purchase'
        when 'register'
        then 'sign_up'
        when 'mail_open'
        then 'email_open'
        when 'mail_click'
        then 'email_click'
        when 'ad_touch'
        then 'campaign_touch'
        when 'photo'
        then 'user_generated_content'
        when 'answer'
        then 'community_answer'
        when 'case_study'
        then 'reference'
        else kind
    end as event_type,
    cast(null as string) as session_id,
    basket_no as cart_id,
    order_no as order_id,
    sku as product_id,
    url as page_url,
    referrer,
    source as channel,
    campaign,
    variant,
    device,
    user_agent,
    query as search_term,
    hits as search_results,
    pieces as quantity,
    amount as value,
    currency,
    happened_at as occurred_at,
    _file,
    _row
from {{ source("demo", "events") }}
