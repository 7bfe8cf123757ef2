with

    sessions as (select * from {{ ref("int_events__sessions") }}),

    identified as (select * from {{ ref("int_sessions__identified") }}),

    orders as (select * from {{ ref("int_sessions__ordered") }}),

    orders_by_session as (select session_id, count(*) as orders from orders group by session_id),

    purchases_by_session as (

        select
            events.session_id,
            count(*) filter (where events.order_id is null) as purchases_of_no_order,
            count(*) filter (
                where events.order_id is not null and orders.order_id is null
            ) as purchases_of_another_order
        from {{ ref("int_events__sessionized") }} as events
        left join orders on events.order_id = orders.order_id
        where events.event_type = 'purchase'
        group by events.session_id

    )

select
    sessions.session_id,
    sessions.source_name,
    identified.customer_id,
    coalesce(sessions.channel, 'unknown') as channel,
    sessions.campaign,
    coalesce(sessions.device, 'unknown') as device,
    sessions.landing_page,
    sessions.bot_reason,
    cast(sessions.events as integer) as events,
    cast(sessions.page_views as integer) as page_views,
    cast(sessions.product_views as integer) as product_views,
    cast(sessions.searches as integer) as searches,
    cast(sessions.carts as integer) as carts,
    cast(sessions.checkouts as integer) as checkouts,
    cast(coalesce(orders_by_session.orders, 0) as integer) as orders,
    cast(
        coalesce(purchases_by_session.purchases_of_another_order, 0) + case
            when orders_by_session.orders is null
            then coalesce(purchases_by_session.purchases_of_no_order, 0)
            else 0
        end as integer
    ) as purchases_without_order,
    sessions.bot_reason is not null as is_bot,
    sessions.event_date as session_date,
    sessions.started_at,
    sessions.ended_at
from sessions
left join identified on sessions.session_id = identified.session_id
left join orders_by_session on sessions.session_id = orders_by_session.session_id
left join purchases_by_session on sessions.session_id = purchases_by_session.session_id
