-- What was known on each day, so that a state can rest on it.
-- 1. A pause that no order ends within 24 hours is an abandonment, from the day on which the 24
-- hours are over, or from the later one on which the cart's person becomes known.
-- 2. It ends with the next step of the cart, or when a second person turns up on the cookie; it is
-- as old as the cart, however late its person became known.
-- 3. Where two persons could be meant on that day, it is nobody's.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    pauses as (

        select pauses.*
        from {{ ref("int_carts__pauses") }} as pauses
        cross join settings
        where pauses.named_order_id is null and pauses.abandoned_on <= settings.as_of_date

    ),

    claims as (

        select
            steps.cart_id,
            identified.customer_id_then as customer_id,
            identified.known_until,
            min(identified.known_from) as known_from
        from {{ ref("int_carts__steps") }} as steps
        inner join
            {{ ref("int_sessions__identified") }} as identified
            on steps.session_id = identified.session_id
        where identified.customer_id_then is not null
        group by steps.cart_id, identified.customer_id_then, identified.known_until

    ),

    claimed as (

        select
            pauses.cart_id,
            pauses.paused_at,
            pauses.last_added_at,
            pauses.abandoned_at,
            pauses.resumed_on,
            pauses.abandoned_on as left_on,
            claims.customer_id,
            claims.known_until,
            greatest(pauses.abandoned_on, claims.known_from) as abandoned_on
        from pauses
        inner join claims on pauses.cart_id = claims.cart_id

    ),

    current_claims as (

        select *, min(abandoned_on) over (partition by cart_id, paused_at) as first_abandoned_on
        from claimed
        where
            abandoned_on <= coalesce(known_until, abandoned_on)
            and abandoned_on < coalesce(resumed_on, {{ add_days("abandoned_on", 1) }})

    ),

    persons as (

        select
            cart_id,
            paused_at,
            min(customer_id) as customer_id,
            min(last_added_at) as last_added_at,
            min(abandoned_at) as abandoned_at,
            min(left_on) as left_on,
            min(abandoned_on) as abandoned_on,
            min(resumed_on) as resumed_on,
            -- A claim without an end outlives one with.
            case when count(*) = count(known_until) then max(known_until) end as known_until
        from current_claims
        where abandoned_on = first_abandoned_on
        group by cart_id, paused_at
        having count(distinct customer_id) = 1

    ),

    ordered as (

        select distinct persons.cart_id, persons.paused_at
        from persons
        inner join
            {{ ref("int_orders__valued") }} as orders
            on persons.customer_id = orders.customer_id
            and orders.ordered_by_at >= persons.last_added_at
            and orders.ordered_at <= persons.abandoned_at
        where orders.is_valid

    )

select
    persons.cart_id,
    persons.customer_id,
    persons.left_on,
    persons.abandoned_on,
    least(
        coalesce(persons.resumed_on, {{ add_days("persons.known_until", 1) }}),
        coalesce({{ add_days("persons.known_until", 1) }}, persons.resumed_on)
    ) as resumed_on,
    coalesce(
        persons.resumed_on
        <= coalesce({{ add_days("persons.known_until", 1) }}, persons.resumed_on),
        false
    ) as is_resumed,
    persons.paused_at
from persons
left join ordered on persons.cart_id = ordered.cart_id and persons.paused_at = ordered.paused_at
where ordered.cart_id is null
