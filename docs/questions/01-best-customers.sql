-- Who are our best customers?
--
-- A row is one of the ten who have brought most so far: how often and when they last bought,
-- what they are expected to bring within a year, and how likely they are customers still. A
-- high sum beside a low likelihood is somebody to call.
select
    customer_id,
    segment,
    purchase_count,
    last_purchase_date,
    net_sales,
    predicted_ltv_365_days,
    round(cast(100 * p_alive as decimal(18, 6)), 1) as still_customer_percent
from dim_customers
where purchase_count > 0
order by net_sales desc, customer_id
limit 10
