-- 1. A cart is one into which something was put; its last pause decides what became of it.
-- 2. Ordered: a purchase event of it names a valid order, or its person placed one within 24 hours
-- of its last step.
-- 3. An order is of one cart: of the one that the purchase event names, else of the one into which
-- something was put last. The others of its person are ordered too, and name no order.
-- 4. Its value is what was put in less what was taken out, where each step of these has a value,
-- else what the last checkout said.
-- 5. An answer gives the reason of one cart: the last abandoned one before it.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    currencies as (select * from {{ ref("currencies") }}),

    steps as (

        select
            *,
            row_number() over (partition by cart_id order by occurred_at, event_id) as step_number
        from {{ ref("int_carts__steps") }}

    ),

    persons as (

        select steps.cart_id, min(identified.customer_id) as customer_id
        from steps
        inner join
            {{ ref("int_sessions__identified") }} as identified
            on steps.session_id = identified.session_id
        group by steps.cart_id
        having count(distinct identified.customer_id) = 1

    ),

    carts as (

        select
            cart_id,
            min(source_name) as source_name,
            count(*) filter (where event_type in ('checkout_started', 'checkout_step'))
            > 0 as has_checkout,
            case
                when
                    count(*) filter (
                        where event_type in ('add_to_cart', 'remove_from_cart') and amount is null
                    )
                    = 0
                then
                    greatest(
                        sum(
                            case
                                event_type
                                when 'add_to_cart'
                                then amount
                                when 'remove_from_cart'
                                then - amount
                            end
                        ),
                        0
                    )
                else
                    max_by(amount, step_number) filter (
                        where
                            event_type in ('checkout_started', 'checkout_step')
                            and amount is not null
                    )
            end as amount,
            min(occurred_at) as started_at,
            max(occurred_at) as last_step_at
        from steps
        group by cart_id

    ),

    pauses as (

        select
            pauses.cart_id,
            persons.customer_id,
            pauses.named_order_id,
            pauses.is_named_with_cart,
            pauses.last_added_at,
            pauses.abandoned_at,
            pauses.abandoned_on
        from {{ ref("int_carts__pauses") }} as pauses
        left join persons on pauses.cart_id = persons.cart_id
        where pauses.is_last

    ),

    ordered as (

        select pauses.cart_id, orders.order_id
        from pauses
        inner join
            {{ ref("int_orders__valued") }} as orders
            on pauses.customer_id = orders.customer_id
            and orders.ordered_by_at >= pauses.last_added_at
            and orders.ordered_at <= pauses.abandoned_at
        where orders.is_valid
        qualify
            row_number() over (
                partition by pauses.cart_id order by orders.ordered_at, orders.order_id
            )
            = 1

    ),

    answers as (

        select
            coalesce(accounts.customer_id, emails.customer_id) as customer_id,
            responses.answer,
            responses.source_name,
            responses.response_id,
            responses.responded_at
        from {{ ref("stg_survey_responses") }} as responses
        cross join settings
        left join
            {{ ref("int_identity__accounts") }} as accounts
            on responses.customer_id = accounts.account_id
        left join
            {{ ref("int_identity__emails") }} as emails
            on responses.customer_email_hash = emails.email_hash
        where
            responses.survey_type = 'cart_abandonment'
            and responses.answer is not null
            and {{ shop_date("responses.responded_at", "settings.time_zone") }}
            <= settings.as_of_date

    ),

    judged as (

        select
            carts.*,
            pauses.customer_id,
            coalesce(pauses.named_order_id, ordered.order_id) as order_id,
            row_number() over (
                partition by coalesce(pauses.named_order_id, ordered.order_id)
                order by
                    pauses.is_named_with_cart desc, pauses.last_added_at desc, carts.cart_id desc
            )
            = 1 as is_its_cart,
            pauses.abandoned_on,
            case
                when coalesce(pauses.named_order_id, ordered.order_id) is not null
                then 'ordered'
                when pauses.abandoned_on > settings.as_of_date
                then 'open'
                else 'abandoned'
            end as status,
            settings.reporting_currency
        from carts
        inner join pauses on carts.cart_id = pauses.cart_id
        left join ordered on carts.cart_id = ordered.cart_id
        cross join settings

    ),

    answered as (

        select
            judged.cart_id,
            answers.answer,
            answers.source_name,
            answers.response_id,
            answers.responded_at
        from judged
        inner join
            answers
            on judged.customer_id = answers.customer_id
            and answers.responded_at
            between judged.last_step_at and {{ add_hours("judged.last_step_at", 720) }}
        where judged.status = 'abandoned'
        qualify
            row_number() over (
                partition by answers.source_name, answers.response_id
                order by judged.last_step_at desc, judged.cart_id desc
            )
            = 1

    ),

    reasons as (

        select cart_id, answer as reason
        from answered
        qualify
            row_number() over (partition by cart_id order by responded_at, source_name, response_id)
            = 1

    )

select
    judged.cart_id,
    judged.source_name,
    judged.customer_id,
    case when judged.is_its_cart then judged.order_id end as order_id,
    judged.status,
    case
        when judged.status = 'ordered'
        then 'order'
        when judged.has_checkout
        then 'checkout'
        else 'cart'
    end as last_step,
    reasons.reason,
    {{ round_money("judged.amount") }} as cart_value,
    case when judged.status = 'abandoned' then judged.abandoned_on end as abandoned_on,
    judged.started_at,
    judged.last_step_at
from judged
inner join currencies on judged.reporting_currency = currencies.currency
left join reasons on judged.cart_id = reasons.cart_id
