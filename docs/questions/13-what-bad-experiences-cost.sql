-- What do bad deliveries, returns and complaints cost us?
--
-- A row is a kind of bad experience with the first order: how many customers had it, how many
-- of them bought again within 180 days, how many of the others did, and how many second
-- purchases that makes fewer (below zero: more). Bounds on both sides of zero mean that no
-- effect is seen. Empty where too few could be followed. An association and no proof.
select
    bad.experience_type,
    bad.experience_value,
    bad.customers,
    round(cast(100 * bad.km_rate as decimal(18, 6)), 1) as bought_again_percent,
    round(cast(100 * others.km_rate as decimal(18, 6)), 1) as others_percent,
    round(cast(100 * bad.rate_difference_lower as decimal(18, 6)), 1) as difference_points_lower,
    round(cast(100 * bad.rate_difference_upper as decimal(18, 6)), 1) as difference_points_upper,
    round(cast(- bad.customers * bad.rate_difference as decimal(18, 6)), 1) as purchases_fewer
from fct_experience_effects as bad
inner join
    fct_experience_effects as others
    on bad.experience_type = others.experience_type
    and bad.purchase_number = others.purchase_number
    and bad.window_days = others.window_days
where
    bad.experience_type not in ('sales_channel', 'recovery')
    and not bad.is_reference
    and others.is_reference
    and bad.purchase_number = 1
    and bad.window_days = 180
order by purchases_fewer desc nulls last, bad.experience_type, bad.experience_value
