-- What does a new customer cost, and when is that paid back?
--
-- A row is a channel on which money was spent: spend and customers won in the same months,
-- cost per customer, the contribution margin those customers have brought so far, how many of
-- its monthly cohorts have earned their cost, and after how many months half of these had.
with

    cohorts as (

        select
            cohort_month,
            acquisition_channel,
            max(customers) as customers,
            max(spend) as spend,
            sum(margin) as margin,
            bool_or(is_paid_back) as is_paid_back,
            max(payback_months) as payback_months
        from fct_ltv_cohorts
        where spend > 0
        group by cohort_month, acquisition_channel

    )

select
    acquisition_channel,
    sum(spend) as spend,
    sum(customers) as customers,
    round(cast(sum(spend) / nullif(sum(customers), 0) as decimal(18, 6)), 2) as cac,
    sum(margin) as margin_so_far,
    count(*) as cohorts,
    count(*) filter (where is_paid_back) as paid_back_cohorts,
    percentile_cont(0.5) within group (order by payback_months) as median_payback_months
from cohorts
group by acquisition_channel
order by spend desc, acquisition_channel
