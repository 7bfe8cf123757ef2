-- Where do people leave on their way to an order?
--
-- A row is a kind of device over the last 90 days: visits, and of each step the percent who
-- went on to it from the step before. The lowest percent is where most is lost.
with today as (select max(session_date) as as_of_date from fct_funnel_daily)

select
    device,
    sum(sessions) as sessions,
    round(
        cast(100.0 * sum(product_views) / nullif(sum(sessions), 0) as decimal(18, 6)), 1
    ) as viewed_percent,
    round(
        cast(100.0 * sum(carts) / nullif(sum(product_views), 0) as decimal(18, 6)), 1
    ) as cart_percent,
    round(
        cast(100.0 * sum(checkouts) / nullif(sum(carts), 0) as decimal(18, 6)), 1
    ) as checkout_percent,
    round(
        cast(100.0 * sum(orders) / nullif(sum(checkouts), 0) as decimal(18, 6)), 1
    ) as order_percent
from fct_funnel_daily
cross join today
where session_date > today.as_of_date - 90
group by device
order by sessions desc, device
