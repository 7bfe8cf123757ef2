-- Sums over all generations are doubled like the pointers: what stands at most 2, 4, 8 generations
-- below a customer is what stands at most 1, 2, 4 below him, and what does below everybody who
-- stands exactly 1, 2, 4 below him.
{%- set rounds = 12 -%}
{%- set measures = ["customers", "net_sales", "predicted"] %}
with

    referrals as (select * from {{ ref("fct_referrals") }}),

    ancestors as (select * from {{ ref("int_referrals__ancestors") }}),

    rewards as (select count(reward_amount) > 0 as are_known from referrals),

    direct as (

        select
            referrer_customer_id as customer_id,
            count(*) filter (where is_valid) as referrals,
            count(*) filter (where not is_valid) as invalid_referrals,
            count(*) filter (where is_converted) as customers,
            sum(referred_net_sales) as net_sales,
            sum(referred_predicted_ltv_365_days) as predicted,
            sum(reward_amount) as reward_amount
        from referrals
        where referrer_customer_id is not null
        group by referrer_customer_id

    ),

    sides as (
        select true as is_own
        union all
        select false as is_own
    ),

    round_0 as (

        select ancestors.person_number, direct.customers, direct.net_sales, direct.predicted
        from ancestors
        left join direct on ancestors.customer_id = direct.customer_id

    ),

    {% for round in range(rounds) %}
        {% set ancestor = "ancestors.ancestor_" ~ 2**round %}
        round_{{ round + 1 }} as (

            select
                case
                    when sides.is_own then ancestors.person_number else {{ ancestor }}
                end as person_number,
                {% for measure in measures %}
                    sum(sums.{{ measure }}) as {{ measure }} {%- if not loop.last %},{% endif %}
                {% endfor %}
            from round_{{ round }} as sums
            inner join ancestors on sums.person_number = ancestors.person_number
            cross join sides
            where sides.is_own or {{ ancestor }} is not null
            group by 1

        ),

    {% endfor %}
    totals as (select * from round_{{ rounds }})

select
    direct.customer_id,
    cast(direct.referrals as integer) as referrals,
    cast(direct.invalid_referrals as integer) as invalid_referrals,
    cast(direct.customers as integer) as referred_customers,
    cast(coalesce(totals.customers, 0) as integer) as referred_customers_all_generations,
    {{ money("coalesce(direct.net_sales, 0)") }} as referred_net_sales,
    {{ money("coalesce(totals.net_sales, 0)") }} as referred_net_sales_all_generations,
    {{ money("case when direct.customers = 0 then 0 else direct.predicted end") }}
    as referred_predicted_ltv_365_days,
    {{ money("case when coalesce(totals.customers, 0) = 0 then 0 else totals.predicted end") }}
    as referred_predicted_ltv_365_days_all_generations,
    {{ money("case when rewards.are_known then coalesce(direct.reward_amount, 0) end") }}
    as reward_amount
from direct
cross join rewards
left join ancestors on direct.customer_id = ancestors.customer_id
left join totals on ancestors.person_number = totals.person_number
