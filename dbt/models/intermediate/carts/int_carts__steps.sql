-- 1. A cart is what its id says.
-- 2. Without an id it is the visitor's cart events until he orders or rests for 30 days, named
-- after the first of them.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    rates as (select * from {{ ref("int_exchange_rates__periods") }}),

    events as (

        select events.*
        from {{ ref("int_events__sessionized") }} as events
        inner join
            {{ ref("int_events__sessions") }} as sessions on events.session_id = sessions.session_id
        where sessions.bot_reason is null

    ),

    steps as (

        select *
        from events
        where event_type in ('add_to_cart', 'remove_from_cart', 'checkout_started', 'checkout_step')

    ),

    happenings as (

        select visitor_id, source_name, event_id, false as is_order, occurred_at
        from steps
        where cart_id is null
        union all
        select
            events.visitor_id,
            events.source_name,
            events.event_id,
            true as is_order,
            events.occurred_at
        from events
        inner join {{ ref("int_orders__valued") }} as orders on events.order_id = orders.order_id
        where events.event_type = 'purchase' and orders.is_valid
        union all
        select
            sessions.visitor_id,
            sessions.source_name,
            cast(null as string) as event_id,
            true as is_order,
            orders.ordered_by_at as occurred_at
        from {{ ref("int_sessions__ordered") }} as orders
        inner join
            {{ ref("int_events__sessions") }} as sessions on orders.session_id = sessions.session_id

    ),

    followed as (

        select
            *,
            lag(is_order) over visitor as is_after_order,
            lag(occurred_at) over visitor as before_at
        from happenings
        window visitor as (partition by visitor_id order by occurred_at, is_order, event_id)

    ),

    numbered as (

        select
            *,
            sum(
                case
                    when
                        not is_order
                        and (
                            coalesce(is_after_order, true)
                            or {{ seconds_between("before_at", "occurred_at") }} > 30 * 86400
                        )
                    then 1
                    else 0
                end
            ) over (
                partition by visitor_id
                order by occurred_at, is_order, event_id
                rows between unbounded preceding and current row
            ) as cart_number
        from followed

    ),

    unnamed as (

        select
            source_name,
            event_id,
            source_name
            || ':visitor:'
            || first_value(event_id) over (
                partition by visitor_id, cart_number order by occurred_at, event_id
            ) as cart_id
        from numbered
        where not is_order

    )

select
    coalesce(unnamed.cart_id, steps.source_name || ':cart:' || steps.cart_id) as cart_id,
    steps.source_name,
    steps.event_id,
    steps.session_id,
    steps.visitor_id,
    steps.event_type,
    steps.value,
    steps.currency,
    cast(
        steps.value * case
            when coalesce(steps.currency, settings.reporting_currency) = settings.reporting_currency
            then 1
            else rates.rate
        end as decimal(28, 6)
    ) as amount,
    steps.event_date,
    steps.occurred_at
from steps
cross join settings
left join
    rates
    on steps.currency = rates.currency
    and steps.event_date between rates.valid_from and rates.valid_to
left join unnamed on steps.source_name = unnamed.source_name and steps.event_id = unnamed.event_id
