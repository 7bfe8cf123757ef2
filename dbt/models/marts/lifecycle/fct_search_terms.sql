-- An order comes after a search when the same visitor or person places it within 24 hours; each
-- counts once for a term and month.
with

    searches as (

        select
            events.source_name,
            events.event_id,
            events.visitor_id,
            identified.customer_id,
            terms.told_as as term,
            events.search_results,
            {{ month_start("events.event_date") }} as month,
            events.occurred_at
        from {{ ref("int_events__sessionized") }} as events
        inner join
            {{ ref("int_events__sessions") }} as sessions on events.session_id = sessions.session_id
        inner join
            {{ ref("int_events__search_terms") }} as terms
            on {{ single_blanks("lower(events.search_term)") }} = terms.term
        left join
            {{ ref("int_sessions__identified") }} as identified
            on events.session_id = identified.session_id
        where events.event_type = 'search' and sessions.bot_reason is null

    ),

    orders_of_visitors as (

        select orders.order_id, sessions.visitor_id, orders.ordered_at, orders.ordered_by_at
        from {{ ref("int_sessions__ordered") }} as orders
        inner join
            {{ ref("int_events__sessions") }} as sessions on orders.session_id = sessions.session_id

    ),

    orders_of_customers as (

        select order_id, customer_id, ordered_at, ordered_by_at
        from {{ ref("int_orders__valued") }}
        where is_valid and customer_id is not null

    ),

    ordered as (

        select searches.month, searches.term, orders.order_id
        from searches
        inner join
            orders_of_visitors as orders
            on searches.visitor_id = orders.visitor_id
            and orders.ordered_by_at >= searches.occurred_at
            and orders.ordered_at <= {{ add_hours("searches.occurred_at", 24) }}
        union
        select searches.month, searches.term, orders.order_id
        from searches
        inner join
            orders_of_customers as orders
            on searches.customer_id = orders.customer_id
            and orders.ordered_by_at >= searches.occurred_at
            and orders.ordered_at <= {{ add_hours("searches.occurred_at", 24) }}

    ),

    orders_after as (

        select month, term, count(*) as orders_after from ordered group by month, term

    ),

    counted as (

        select
            month,
            term,
            count(*) as searches,
            count(*) filter (where search_results = 0) as without_result
        from searches
        group by month, term

    )

select
    counted.month,
    counted.term,
    cast(counted.searches as bigint) as searches,
    cast(counted.without_result as bigint) as without_result,
    cast(coalesce(orders_after.orders_after, 0) as bigint) as orders_after
from counted
left join orders_after on counted.month = orders_after.month and counted.term = orders_after.term
