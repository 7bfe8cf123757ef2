-- Loyal is who has bought on three occasions or more and has not fallen silent; an advocate, who
-- has spoken for the shop and whose last answer was not that he would not recommend it.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    told as (select count(*) as actions from {{ ref("int_advocacy__actions") }}),

    referred as (

        select count(*) as referrals, count(reward_amount) as rewards
        from {{ ref("int_referrals__judged") }}

    ),

    standings as (select * from {{ ref("int_advocacy__standings") }} where next_month is null),

    answers as (

        select
            customer_id,
            max_by(score, (acted_at, action_id)) as last_promoter_score,
            max(acted_date) as last_promoter_score_date
        from {{ ref("int_advocacy__actions") }}
        where action_type = 'promoter_score'
        group by customer_id

    ),

    loyal as (

        select states.customer_id
        from {{ ref("int_lifecycle__states") }} as states
        cross join settings
        where
            states.lifecycle_stage = 'loyalty'
            and not states.is_inactive
            and states.valid_from <= settings.as_of_date
            and coalesce(states.valid_to, settings.as_of_date) >= settings.as_of_date

    ),

    referrers as (select * from {{ ref("fct_referrers") }}),

    judged as (

        select
            customers.customer_id,
            coalesce(standings.advocacy_tier, 'lurker') as advocacy_tier,
            standings.score,
            standings.positive_actions,
            standings.negative_actions,
            answers.last_promoter_score,
            answers.last_promoter_score_date,
            coalesce(standings.advocacy_tier, 'lurker') <> 'lurker'
            and coalesce(answers.last_promoter_score, 10) > 6 as is_advocate,
            loyal.customer_id is not null as is_loyal,
            referred.referrals > 0 as has_referrals,
            referred.rewards > 0 as has_rewards
        from {{ ref("int_identity__customers") }} as customers
        cross join told
        cross join referred
        left join standings on customers.customer_id = standings.customer_id
        left join answers on customers.customer_id = answers.customer_id
        left join loyal on customers.customer_id = loyal.customer_id
        where told.actions > 0

    )

select
    judged.customer_id,
    judged.advocacy_tier,
    case
        when judged.is_loyal and judged.is_advocate
        then 'loyal_advocate'
        when judged.is_loyal
        then 'locked_in'
        when judged.is_advocate
        then 'advocate_not_buying'
        else 'neither'
    end as advocacy_quadrant,
    cast(coalesce(judged.score, 0) as decimal(18, 2)) as score,
    cast(coalesce(judged.positive_actions, 0) as integer) as positive_actions,
    cast(coalesce(judged.negative_actions, 0) as integer) as negative_actions,
    cast(judged.last_promoter_score as decimal(9, 2)) as last_promoter_score,
    {% for count in [
        "referrals",
        "referred_customers",
        "referred_customers_all_generations",
    ] %}
        cast(
            case when judged.has_referrals then coalesce(referrers.{{ count }}, 0) end as integer
        ) as {{ count }},
    {% endfor %}
    {% for amount in [
        "referred_net_sales",
        "referred_net_sales_all_generations",
    ] %}
        {{ money("case when judged.has_referrals then coalesce(referrers." ~ amount ~ ", 0) end") }}
        as {{ amount }},
    {% endfor %}
    {{ money("case when judged.has_rewards then coalesce(referrers.reward_amount, 0) end") }}
    as reward_amount,
    judged.is_loyal and not judged.is_advocate as is_locked_in,
    judged.last_promoter_score_date
from judged
left join referrers on judged.customer_id = referrers.customer_id
