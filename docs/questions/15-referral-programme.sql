-- What does our referral programme bring?
--
-- The first row is the whole programme, those after it the first three generations of those
-- referred: referrals sent, buyers they brought, what these have bought and are expected to
-- buy within a year, rewards, and what one unit of reward brings beyond itself. Attributed,
-- not caused: some would have come without.
select
    coalesce(cast(generation as varchar), 'all') as generation,
    referrals,
    converted_customers,
    round(cast(100 * conversion_rate as decimal(18, 6)), 1) as conversion_percent,
    referred_net_sales,
    referred_predicted_ltv_365_days,
    reward_amount,
    round(cast(programme_return as decimal(18, 6)), 1) as programme_return
from fct_referral_programme
where generation is null or generation <= 3
order by fct_referral_programme.generation nulls first
