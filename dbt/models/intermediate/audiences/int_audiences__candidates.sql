-- Who is in an audience before it is asked whether he may be written to.
-- 1. By segment, which a customer has one of; the reason is why it began, and when.
-- 2. Carts are those left behind that still stand with something in them, whatever the segment, if
-- nothing was bought since; the latest is named.
-- 3. To win over: likers who buy, have not fallen silent, and whose last answer was not that they
-- would not recommend the shop.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    states as (

        select states.*
        from {{ ref("int_lifecycle__states") }} as states
        cross join settings
        where
            states.valid_from <= settings.as_of_date
            and coalesce(states.valid_to, settings.as_of_date) >= settings.as_of_date

    ),

    spans as (

        select spans.*
        from {{ ref("int_lifecycle__spans") }} as spans
        cross join settings
        where
            spans.starts_on <= settings.as_of_date
            and coalesce(spans.ends_on, settings.as_of_date) >= settings.as_of_date

    ),

    latest_spans as (

        select *
        from spans
        qualify
            row_number() over (
                partition by customer_id, span_type order by starts_on desc, start_reason
            )
            = 1

    ),

    standings as (select * from {{ ref("int_advocacy__standings") }} where next_month is null),

    answers as (

        select customer_id, max_by(score, (acted_at, action_id)) as last_promoter_score
        from {{ ref("int_advocacy__actions") }}
        where action_type = 'promoter_score'
        group by customer_id

    ),

    -- The best one of which the time has come by the day after as_of.
    opportunities as (

        select opportunities.*
        from {{ ref("int_cross_sell__opportunities") }} as opportunities
        cross join settings
        where
            opportunities.cut_off_date = settings.as_of_date
            and opportunities.best_from_date <= {{ add_days("settings.as_of_date", 1) }}
        qualify
            row_number() over (
                partition by opportunities.customer_id
                order by opportunities.opportunity_rank, opportunities.category
            )
            = 1

    ),

    bought as (

        select customer_id, max(ordered_by_at) as last_ordered_at
        from {{ ref("int_orders__valued") }}
        where is_valid
        group by customer_id

    ),

    carts as (

        select abandonments.customer_id, abandonments.cart_id, spans.start_reason, spans.starts_on
        from {{ ref("int_carts__abandonments") }} as abandonments
        cross join settings
        inner join
            spans
            on abandonments.customer_id = spans.customer_id
            and abandonments.abandoned_on = spans.starts_on
        inner join
            {{ ref("int_carts__episodes") }} as episodes on abandonments.cart_id = episodes.cart_id
        left join bought on abandonments.customer_id = bought.customer_id
        where
            spans.span_type = 'cart_abandoner'
            and coalesce(abandonments.resumed_on > settings.as_of_date, true)
            and coalesce(episodes.cart_value > 0, true)
            and coalesce(bought.last_ordered_at < abandonments.paused_at, true)
        qualify
            row_number() over (
                partition by abandonments.customer_id
                order by abandonments.paused_at desc, abandonments.cart_id
            )
            = 1

    )

select
    states.segment as audience,
    states.customer_id,
    cast(null as string) as subject_id,
    'on ' || cast(spans.starts_on as string) || ': ' || spans.start_reason as reason,
    spans.starts_on as since_date
from states
inner join
    latest_spans as spans
    on states.customer_id = spans.customer_id
    and states.segment = spans.span_type
where states.segment in ('hero', 'at_risk', 'inactive', 'won_back', 'negative_experience')
union all
select
    'cart_abandoned' as audience,
    customer_id,
    cart_id as subject_id,
    start_reason as reason,
    starts_on as since_date
from carts
union all
select
    'lovers' as audience,
    customer_id,
    cast(null as string) as subject_id,
    'speaks for the shop: score ' || cast(score as string) as reason,
    month as since_date
from standings
where advocacy_tier = 'lover'
union all
select
    'likers_to_win_over' as audience,
    standings.customer_id,
    cast(null as string) as subject_id,
    'buys and has a good word: score ' || cast(standings.score as string) as reason,
    standings.month as since_date
from standings
inner join states on standings.customer_id = states.customer_id
left join answers on standings.customer_id = answers.customer_id
where
    standings.advocacy_tier = 'liker'
    and standings.is_buyer
    and states.segment not in ('negative_experience', 'inactive', 'at_risk')
    and coalesce(answers.last_promoter_score, 10) > 6
union all
select
    'cross_sell' as audience,
    customer_id,
    category as subject_id,
    'has not bought it yet; a chance of '
    || cast(cast(100 * probability as decimal(5, 1)) as string)
    || ' % to do so within 90 days' as reason,
    best_from_date as since_date
from opportunities
union all
select
    'ask_a_question' as audience,
    customer_id,
    question_id as subject_id,
    case
        question
        when 'purchase_outside_profile'
        then 'bought ' || observed || ', usually ' || usual
        else 'said ' || usual || ' and chose ' || observed
    end as reason,
    raised_date as since_date
from {{ ref("int_preferences__questions") }}
where status = 'open'
