-- What customers did and said for or against the shop, with the weights of the seed.
-- 1. A review that stands on several orders was written once.
-- 2. A link that names nobody and is handed out many times on a day is one good word.
-- 3. What is only known to be somebody's by its order is not known before the order, and what is so
-- by its cookie not before the first login on it.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    visitors as (select * from {{ ref("int_identity__visitors") }}),

    orders as (select * from {{ ref("int_orders__valued") }}),

    weights as (select * from {{ ref("advocacy_actions") }}),

    referrals as (select * from {{ ref("int_referrals__judged") }}),

    reviews as (

        select
            reviews.source_name,
            reviews.review_id,
            reviews.order_id,
            coalesce(accounts.customer_id, orders.customer_id) as customer_id,
            reviews.rating,
            case
                when accounts.customer_id is null
                then
                    greatest(
                        {{ shop_date("reviews.reviewed_at", "settings.time_zone") }},
                        orders.order_date
                    )
                else {{ shop_date("reviews.reviewed_at", "settings.time_zone") }}
            end as acted_date,
            reviews.reviewed_at
        from {{ ref("stg_reviews") }} as reviews
        cross join settings
        left join accounts on reviews.customer_id = accounts.account_id
        left join orders on reviews.order_id = orders.order_id

    ),

    acts as (

        select
            'rating' as action_type,
            source_name,
            review_id || ':' || min(order_id) as act_id,
            customer_id,
            min(rating) as score,
            min(acted_date) as acted_date,
            min(reviewed_at) as acted_at
        from reviews
        where customer_id is not null
        group by source_name, review_id, customer_id
        union all
        select
            'promoter_score',
            source_name,
            response_id,
            customer_id,
            score,
            responded_date,
            responded_at
        from {{ ref("int_advocacy__answers") }}
        where is_answered and customer_id is not null
        union all
        select
            'referral_sent',
            source_name,
            min(referral_id),
            referrer_customer_id,
            cast(null as decimal(9, 2)),
            sent_date,
            min(sent_at)
        from referrals
        where is_valid
        group by
            source_name,
            referrer_customer_id,
            sent_date,
            case when names_somebody then referral_id end
        union all
        select
            'referral_converted',
            referrals.source_name,
            referrals.referral_id,
            referrals.referrer_customer_id,
            cast(null as decimal(9, 2)),
            orders.order_date,
            referrals.converted_at
        from referrals
        inner join orders on referrals.first_order_id = orders.order_id
        union all
        select
            events.event_type,
            events.source_name,
            events.event_id,
            coalesce(accounts.customer_id, emails.customer_id, visitors.customer_id),
            cast(null as decimal(9, 2)),
            case
                when accounts.customer_id is null and emails.customer_id is null
                then greatest(events.event_date, visitors.linked_on)
                else events.event_date
            end,
            events.occurred_at
        from {{ ref("int_events__cleaned") }} as events
        left join accounts on events.account_id = accounts.account_id
        left join
            emails
            on case when accounts.customer_id is null then events.email_hash end = emails.email_hash
        left join
            visitors
            on events.source_name = visitors.source_name
            and events.anonymous_id = visitors.anonymous_id
        where
            events.discard_reason is null
            and events.event_type
            in ('share', 'user_generated_content', 'community_answer', 'reference')

    )

select
    acts.action_type || ':' || acts.source_name || ':' || acts.act_id as action_id,
    acts.customer_id,
    acts.action_type,
    coalesce(weights.polarity, 'neutral') as polarity,
    acts.score,
    cast(coalesce(weights.weight, 0) as decimal(9, 2)) as weight,
    coalesce(weights.makes_lover, false) as makes_lover,
    acts.acted_date,
    acts.acted_at
from acts
cross join settings
left join
    weights
    on acts.action_type = weights.action_type
    and (weights.score_from is null or acts.score between weights.score_from and weights.score_to)
where acts.customer_id is not null and acts.acted_date <= settings.as_of_date
