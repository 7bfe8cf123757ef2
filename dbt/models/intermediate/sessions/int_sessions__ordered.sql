-- The order is the truth: each valid order belongs to one session at most.
-- 1. The first session in which a purchase event names it.
-- 2. Else, of its customer's sessions that were running then or had been silent for less than the
-- timeout, the one that began last.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    orders as (select * from {{ ref("int_orders__valued") }} where is_valid),

    sessions as (

        select sessions.session_id, identified.customer_id, sessions.started_at, sessions.ended_at
        from {{ ref("int_events__sessions") }} as sessions
        inner join
            {{ ref("int_sessions__identified") }} as identified
            on sessions.session_id = identified.session_id
        where identified.customer_id is not null and sessions.bot_reason is null

    ),

    named as (

        select orders.order_id, events.session_id, orders.ordered_at
        from {{ ref("int_events__sessionized") }} as events
        inner join orders on events.order_id = orders.order_id
        where events.event_type = 'purchase'
        qualify
            row_number() over (
                partition by orders.order_id
                order by events.occurred_at, events.source_name, events.event_id
            )
            = 1

    ),

    unnamed as (

        select orders.order_id, orders.customer_id, orders.ordered_at
        from orders
        left join named on orders.order_id = named.order_id
        where named.order_id is null

    ),

    placed as (

        select unnamed.order_id, sessions.session_id, unnamed.ordered_at
        from unnamed
        inner join
            sessions
            on unnamed.customer_id = sessions.customer_id
            and unnamed.ordered_at >= sessions.started_at
        cross join settings
        where
            {{ seconds_between("sessions.ended_at", "unnamed.ordered_at") }}
            <= 60 * settings.session_timeout_minutes
        qualify
            row_number() over (
                partition by unnamed.order_id
                order by sessions.started_at desc, sessions.session_id desc
            )
            = 1

    )

select order_id, session_id, 'purchase_event' as match_rule, ordered_at
from named
union all
select order_id, session_id, 'customer' as match_rule, ordered_at
from placed
