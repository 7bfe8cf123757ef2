-- How many customers come back within 90 days, by the channel that brought them?
--
-- A row is an acquisition channel. Of the customers who have had 90 days, so many bought
-- again; the corrected rate also uses those who have had less time, and the truth lies between
-- its bounds in 95 of 100 such cases. Channels whose bounds overlap widely are not told apart.
-- An empty rate means that too few could be followed.
select
    dimension_value as acquisition_channel,
    customers,
    mature_customers,
    repurchased,
    round(
        cast(100.0 * repurchased / nullif(mature_customers, 0) as decimal(18, 6)), 1
    ) as repurchase_percent,
    round(cast(100 * km_repurchase_rate as decimal(18, 6)), 1) as corrected_percent,
    round(cast(100 * km_repurchase_rate_lower as decimal(18, 6)), 1) as corrected_percent_lower,
    round(cast(100 * km_repurchase_rate_upper as decimal(18, 6)), 1) as corrected_percent_upper
from fct_repurchase_rates
where dimension_name = 'acquisition_channel' and cohort_month is null and window_days = 90
order by customers desc, dimension_value
