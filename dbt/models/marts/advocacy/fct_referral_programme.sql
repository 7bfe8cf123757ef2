-- A generation is brought by the one before: those of the first by customers whom nobody referred.
-- The viral coefficient counts what buyers have brought; who never bought is not among them.
with

    referrals as (

        select referrals.*, referrals.is_converted and buyers.customer_id is not null as is_by_buyer
        from {{ ref("fct_referrals") }} as referrals
        left join
            {{ ref("int_customers__acquired") }} as buyers
            on referrals.referrer_customer_id = buyers.customer_id

    ),

    buyers as (select count(*) as customers from {{ ref("int_customers__acquired") }}),

    summed as (

        select
            generation,
            count(*) as referrals,
            count(*) filter (where is_converted) as converted_customers,
            count(*) filter (where is_by_buyer) as converted_by_buyers,
            count(referred_predicted_ltv_365_days) as predicted_customers,
            sum(referred_net_sales) as net_sales,
            sum(referred_predicted_ltv_365_days) as predicted,
            sum(reward_amount) as reward_amount
        from referrals
        where is_valid
        group by generation

    ),

    generations as (

        select
            summed.*,
            0 as invalid_referrals,
            case
                when summed.generation = 1
                then buyers.customers - sum(summed.converted_customers) over ()
                else coalesce(before.converted_customers, 0)
            end as customers_before
        from summed
        cross join buyers
        left join summed as before on summed.generation = before.generation + 1

    ),

    programme as (

        select
            cast(null as integer) as generation,
            count(*) filter (where referrals.is_valid) as referrals,
            count(*) filter (where referrals.is_converted) as converted_customers,
            count(*) filter (where referrals.is_by_buyer) as converted_by_buyers,
            count(referrals.referred_predicted_ltv_365_days) as predicted_customers,
            sum(referrals.referred_net_sales) as net_sales,
            sum(referrals.referred_predicted_ltv_365_days) as predicted,
            sum(referrals.reward_amount) as reward_amount,
            count(*) filter (where not referrals.is_valid) as invalid_referrals,
            buyers.customers as customers_before
        from referrals
        cross join buyers
        group by buyers.customers

    ),

    all_rows as (

        select *
        from generations
        union all
        select *
        from programme

    ),

    valued as (

        select
            *,
            {{ money("coalesce(net_sales, 0)") }} as referred_net_sales,
            {{ money("case when converted_customers = 0 then 0 else predicted end") }}
            as referred_predicted_ltv_365_days
        from all_rows

    )

select
    generation,
    cast(customers_before as integer) as customers_before,
    cast(referrals as integer) as referrals,
    cast(invalid_referrals as integer) as invalid_referrals,
    cast(converted_customers as integer) as converted_customers,
    cast(predicted_customers as integer) as predicted_customers,
    {{ share("converted_customers", "referrals") }} as conversion_rate,
    {{ share("converted_by_buyers", "customers_before") }} as viral_coefficient,
    referred_net_sales,
    referred_predicted_ltv_365_days,
    {{ money("reward_amount") }} as reward_amount,
    {{ money("referred_net_sales + referred_predicted_ltv_365_days - coalesce(reward_amount, 0)") }}
    as referral_value,
    {{
        share(
            "referred_net_sales + referred_predicted_ltv_365_days - reward_amount",
            "reward_amount",
        )
    }} as programme_return
from valued
