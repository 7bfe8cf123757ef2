select
    dimension_name,
    dimension_value,
    cohort_month,
    cast(window_days as integer) as window_days,
    cast(customers as integer) as customers,
    cast(mature_customers as integer) as mature_customers,
    cast(mature_returned as integer) as repurchased,
    {{ share("mature_returned", "mature_customers") }} as repurchase_rate,
    cast(returned as integer) as returned,
    {{ share("returned", "customers") }} as naive_repurchase_rate,
    cast(at_risk as integer) as at_risk,
    case when is_shown then rate end as km_repurchase_rate,
    case when is_shown then rate_lower end as km_repurchase_rate_lower,
    case when is_shown then rate_upper end as km_repurchase_rate_upper
from {{ ref("int_repeat__rates") }}
where purchase_number = 1 and dimension_name not in ('channel_at_discount', 'channel_at_full_price')
