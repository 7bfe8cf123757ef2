-- Do customers won at a discount stay?
--
-- A row is a window after the first purchase: of customers won at a discount and at full
-- price, compared within the same month and channel, how many bought again and what they
-- brought. Bounds on both sides of zero mean that no difference is seen. It is an association:
-- who takes a discount differs in more than that.
select
    window_days,
    discount_customers,
    full_price_customers,
    round(cast(100 * discount_km_rate as decimal(18, 6)), 1) as discount_percent,
    round(cast(100 * full_price_km_rate as decimal(18, 6)), 1) as full_price_percent,
    round(cast(100 * rate_difference_lower as decimal(18, 6)), 1) as difference_points_lower,
    round(cast(100 * rate_difference_upper as decimal(18, 6)), 1) as difference_points_upper,
    discount_ltv,
    full_price_ltv,
    ltv_difference_lower,
    ltv_difference_upper
from fct_discount_comparison
where cohort_month is null
order by window_days
