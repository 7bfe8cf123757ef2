-- The order is the truth: each valid order belongs to one session at most, and to none of a bot.
-- 1. The first session in which a purchase event names it.
-- 2. Else, of its customer's sessions that were running then or had been silent for less than the
-- timeout, the one that began last.
-- 3. Else, where the session of rule 1 is nothing but purchase events, the visitor's last one of
-- the
-- 24 hours before it.
-- 4. A session of nothing but purchase events, like those that a server sends without the cookie,
-- takes the order only where no other session is found.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    orders as (select * from {{ ref("int_orders__valued") }} where is_valid),

    sessions as (

        select
            sessions.session_id,
            sessions.visitor_id,
            identified.customer_id,
            sessions.events = sessions.purchases as is_purchase_alone,
            sessions.started_at,
            sessions.ended_at
        from {{ ref("int_events__sessions") }} as sessions
        left join
            {{ ref("int_sessions__identified") }} as identified
            on sessions.session_id = identified.session_id
        where sessions.bot_reason is null

    ),

    named as (

        select
            orders.order_id,
            orders.ordered_at,
            orders.ordered_by_at,
            sessions.session_id,
            sessions.visitor_id,
            sessions.is_purchase_alone,
            sessions.started_at,
            row_number() over (
                partition by orders.order_id
                order by events.occurred_at, events.source_name, events.event_id
            ) as position
        from {{ ref("int_events__sessionized") }} as events
        inner join orders on events.order_id = orders.order_id
        inner join sessions on events.session_id = sessions.session_id
        where events.event_type = 'purchase'

    ),

    candidates as (

        select
            order_id,
            session_id,
            is_purchase_alone,
            1 as rule_number,
            position,
            ordered_at,
            ordered_by_at
        from named
        union all
        select
            named.order_id,
            sessions.session_id,
            sessions.is_purchase_alone,
            3 as rule_number,
            row_number() over (
                partition by named.order_id
                order by sessions.started_at desc, sessions.session_id desc
            ) as position,
            named.ordered_at,
            named.ordered_by_at
        from named
        inner join
            sessions
            on named.visitor_id = sessions.visitor_id
            and sessions.started_at < named.started_at
        where
            named.is_purchase_alone
            and {{ seconds_between("sessions.ended_at", "named.started_at") }} <= 86400
        union all
        select
            orders.order_id,
            sessions.session_id,
            sessions.is_purchase_alone,
            2 as rule_number,
            row_number() over (
                partition by orders.order_id
                order by sessions.started_at desc, sessions.session_id desc
            ) as position,
            orders.ordered_at,
            orders.ordered_by_at
        from orders
        inner join
            sessions
            on orders.customer_id = sessions.customer_id
            and orders.ordered_by_at >= sessions.started_at
        cross join settings
        where
            {{ seconds_between("sessions.ended_at", "orders.ordered_at") }}
            <= 60 * settings.session_timeout_minutes

    )

select order_id, session_id, ordered_at, ordered_by_at
from candidates
qualify
    row_number() over (partition by order_id order by is_purchase_alone, rule_number, position) = 1
