-- Which carts are left behind, at which step, of what value and why?
--
-- A row is a step and a reason, where people gave one: carts abandoned within the last year,
-- what lay in them, and the value of a cart.
with

    today as (select max(lifecycle_date) as as_of_date from fct_lifecycle_daily),

    abandoned as (

        select last_step, coalesce(reason, 'not said') as reason, cart_value
        from fct_carts
        cross join today
        where status = 'abandoned' and abandoned_on > today.as_of_date - 365

    )

select
    last_step,
    reason,
    count(*) as carts,
    sum(cart_value) as cart_value,
    round(
        cast(sum(cart_value) / nullif(count(cart_value), 0) as decimal(18, 6)), 2
    ) as value_per_cart
from abandoned
group by last_step, reason
order by carts desc, last_step, reason
