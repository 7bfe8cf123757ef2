select
    session_date,
    channel,
    coalesce(campaign, 'none') as campaign,
    device,
    cast(count(*) as bigint) as sessions,
    cast(count(*) filter (where product_views > 0) as bigint) as product_views,
    cast(count(*) filter (where carts > 0) as bigint) as carts,
    cast(count(*) filter (where checkouts > 0) as bigint) as checkouts,
    cast(count(*) filter (where orders > 0) as bigint) as orders,
    cast(coalesce(sum(purchases_without_order), 0) as bigint) as purchases_without_order
from {{ ref("fct_sessions") }}
where not is_bot
group by session_date, channel, coalesce(campaign, 'none'), device
