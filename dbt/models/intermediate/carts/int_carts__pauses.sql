-- 1. A cart pauses after a step that no other follows within 24 hours, once something has been put
-- into it.
-- 2. An order that a purchase event names is the cart's when the event comes between what was put
-- in last and the end of those 24 hours, for the same cart, else from the same visitor.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    followed as (

        select
            *,
            max(occurred_at) filter (where event_type = 'add_to_cart') over (
                partition by cart_id
                order by occurred_at, event_id
                rows between unbounded preceding and current row
            ) as last_added_at,
            lead(occurred_at) over (partition by cart_id order by occurred_at, event_id) as next_at,
            lead(event_date) over (
                partition by cart_id order by occurred_at, event_id
            ) as resumed_on
        from {{ ref("int_carts__steps") }}

    ),

    pauses as (

        select
            followed.cart_id,
            followed.visitor_id,
            followed.last_added_at,
            followed.occurred_at as paused_at,
            {{ add_hours("followed.occurred_at", 24) }} as abandoned_at,
            followed.resumed_on
        from followed
        where
            followed.last_added_at is not null
            and (
                followed.next_at is null
                or {{ seconds_between("followed.occurred_at", "followed.next_at") }} > 86400
            )

    ),

    purchases as (

        select
            orders.order_id,
            events.visitor_id,
            events.source_name || ':cart:' || events.cart_id as cart_id,
            events.occurred_at
        from {{ ref("int_events__sessionized") }} as events
        inner join
            {{ ref("int_events__sessions") }} as sessions on events.session_id = sessions.session_id
        inner join {{ ref("int_orders__valued") }} as orders on events.order_id = orders.order_id
        where events.event_type = 'purchase' and sessions.bot_reason is null and orders.is_valid

    ),

    named as (

        select
            pauses.cart_id,
            pauses.paused_at,
            purchases.order_id,
            true as is_named_with_cart,
            purchases.occurred_at
        from pauses
        inner join
            purchases
            on pauses.cart_id = purchases.cart_id
            and purchases.occurred_at between pauses.last_added_at and pauses.abandoned_at
        union all
        select
            pauses.cart_id,
            pauses.paused_at,
            purchases.order_id,
            false as is_named_with_cart,
            purchases.occurred_at
        from pauses
        inner join
            purchases
            on pauses.visitor_id = purchases.visitor_id
            and purchases.occurred_at between pauses.last_added_at and pauses.abandoned_at

    ),

    first_named as (

        select *
        from named
        qualify
            row_number() over (
                partition by cart_id, paused_at
                order by is_named_with_cart desc, occurred_at, order_id
            )
            = 1

    )

select
    pauses.cart_id,
    first_named.order_id as named_order_id,
    coalesce(first_named.is_named_with_cart, false) as is_named_with_cart,
    pauses.resumed_on is null as is_last,
    {{ shop_date("pauses.abandoned_at", "settings.time_zone") }} as abandoned_on,
    pauses.resumed_on,
    pauses.last_added_at,
    pauses.paused_at,
    pauses.abandoned_at
from pauses
cross join settings
left join
    first_named on pauses.cart_id = first_named.cart_id and pauses.paused_at = first_named.paused_at
