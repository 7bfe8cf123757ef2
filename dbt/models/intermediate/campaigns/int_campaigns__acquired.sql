-- The first and the last touch before the first purchase, each within its own days. The session of
-- that purchase is one of the touches, whoever is known to have been in it.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    first_orders as (

        select numbered.customer_id, orders.order_date, orders.ordered_by_at, placed.session_id
        from {{ ref("int_orders__numbered") }} as numbered
        inner join {{ ref("int_orders__valued") }} as orders on numbered.order_id = orders.order_id
        left join {{ ref("int_sessions__ordered") }} as placed on orders.order_id = placed.order_id
        where numbered.order_number = 1

    ),

    own_touches as (

        select first_orders.customer_id, touches.touch_id
        from first_orders
        inner join
            {{ ref("int_campaigns__touches") }} as touches
            on first_orders.customer_id = touches.customer_id
        union
        select customer_id, session_id as touch_id
        from first_orders

    ),

    touches as (

        select
            first_orders.customer_id,
            touches.campaign,
            touches.channel,
            {{ days_between("touches.touch_date", "first_orders.order_date") }} as days_before,
            row_number() over (
                partition by first_orders.customer_id
                order by touches.touched_at desc, touches.touch_id desc
            ) as last_rank,
            row_number() over (
                partition by
                    first_orders.customer_id,
                    {{ days_between("touches.touch_date", "first_orders.order_date") }}
                    <= settings.first_touch_days
                order by touches.touched_at, touches.touch_id
            ) as first_rank,
            settings.first_touch_days,
            settings.last_touch_days
        from first_orders
        inner join own_touches on first_orders.customer_id = own_touches.customer_id
        inner join
            {{ ref("int_campaigns__touches") }} as touches
            on own_touches.touch_id = touches.touch_id
            and (
                touches.touched_at <= first_orders.ordered_by_at
                or touches.touch_id = first_orders.session_id
            )
        cross join settings

    )

select
    first_orders.customer_id,
    min(touches.campaign) filter (
        where touches.first_rank = 1 and touches.days_before <= touches.first_touch_days
    ) as first_touch_campaign,
    min(touches.channel) filter (
        where touches.first_rank = 1 and touches.days_before <= touches.first_touch_days
    ) as first_touch_channel,
    min(touches.campaign) filter (
        where touches.last_rank = 1 and touches.days_before <= touches.last_touch_days
    ) as last_touch_campaign,
    min(touches.channel) filter (
        where touches.last_rank = 1 and touches.days_before <= touches.last_touch_days
    ) as last_touch_channel,
    first_orders.order_date as first_purchase_date
from first_orders
left join touches on first_orders.customer_id = touches.customer_id
group by first_orders.customer_id, first_orders.order_date
