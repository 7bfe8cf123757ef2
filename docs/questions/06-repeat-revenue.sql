-- How much of our revenue comes from repeat purchases?
--
-- A row is a month that has ended: the share of net sales from second and later purchases, the
-- share of its customers who had bought before, and the range that is published for other
-- shops. A share that falls while sales grow can simply mean many new customers.
select
    month,
    net_sales,
    repeat_net_sales,
    round(cast(100 * repeat_revenue_share as decimal(18, 6)), 1) as repeat_revenue_percent,
    round(
        cast(100.0 * returning_customers / nullif(customers, 0) as decimal(18, 6)), 1
    ) as returning_customer_percent,
    round(
        cast(100 * benchmark_repeat_revenue_share_lower as decimal(18, 6)), 1
    ) as benchmark_percent_lower,
    round(
        cast(100 * benchmark_repeat_revenue_share_upper as decimal(18, 6)), 1
    ) as benchmark_percent_upper
from fct_repeat_revenue_monthly
where is_complete
order by month
