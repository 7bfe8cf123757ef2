with

    referrals as (select * from {{ ref("int_referrals__judged") }}),

    ancestors as (select * from {{ ref("int_referrals__ancestors") }}),

    sales as (

        select customer_id, sum(net_sales) as net_sales
        from {{ ref("int_sales__entries") }}
        where customer_id is not null
        group by customer_id

    )

select
    referrals.source_name,
    referrals.referral_id,
    referrals.referrer_customer_id,
    referrals.referred_customer_id,
    referrals.first_order_id,
    referrals.invalid_reason,
    cast(
        case when referrals.is_valid then coalesce(ancestors.generation, 0) + 1 end as integer
    ) as generation,
    referrals.reward_amount,
    {{ money("case when referrals.is_converted then sales.net_sales end") }} as referred_net_sales,
    case
        when referrals.is_converted then ltv.predicted_ltv_365_days
    end as referred_predicted_ltv_365_days,
    referrals.is_valid,
    referrals.is_converted,
    referrals.sent_date,
    referrals.sent_at,
    referrals.converted_at
from referrals
left join ancestors on referrals.referrer_customer_id = ancestors.customer_id
left join sales on referrals.referred_customer_id = sales.customer_id
left join {{ ref("fct_customer_ltv") }} as ltv on referrals.referred_customer_id = ltv.customer_id
