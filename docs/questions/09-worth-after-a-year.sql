-- What is a customer worth after a year, by cohort?
--
-- A row is the month of the first purchases: net sales per customer by the end of the first
-- purchase, of 90 days and of a year. Only customers who have had that time count, so that
-- young cohorts are empty instead of low, and the last one that is not may rest on the first
-- days of its month: mature_customers says how many have had the year.
select
    cohort_month,
    sum(customers) filter (where window_days = 365) as customers,
    sum(mature_customers) filter (where window_days = 365) as mature_customers,
    round(
        cast(
            sum(net_sales) filter (where window_days = 0)
            / nullif(sum(mature_customers) filter (where window_days = 0), 0) as decimal(18, 6)
        ),
        2
    ) as first_purchase,
    round(
        cast(
            sum(net_sales) filter (where window_days = 90)
            / nullif(sum(mature_customers) filter (where window_days = 90), 0) as decimal(18, 6)
        ),
        2
    ) as after_90_days,
    round(
        cast(
            sum(net_sales) filter (where window_days = 365)
            / nullif(sum(mature_customers) filter (where window_days = 365), 0) as decimal(18, 6)
        ),
        2
    ) as after_a_year
from fct_ltv_windows
group by cohort_month
order by cohort_month
