select
    estimation_month,
    purchase_bucket,
    threshold_source,
    cast(purchases as bigint) as purchases,
    cast(returns as bigint) as returns,
    at_risk_after_days,
    cast(at_risk_after_days_lower as integer) as at_risk_after_days_lower,
    cast(at_risk_after_days_upper as integer) as at_risk_after_days_upper,
    inactive_after_days,
    cast(inactive_after_days_lower as integer) as inactive_after_days_lower,
    cast(inactive_after_days_upper as integer) as inactive_after_days_upper,
    return_share as return_share_180_days,
    return_chance_90_days
from {{ ref("int_lifecycle__thresholds") }}
