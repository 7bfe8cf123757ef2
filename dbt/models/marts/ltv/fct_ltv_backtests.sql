select
    model_name,
    frequency_bucket,
    horizon_days,
    cast(customers as integer) as customers,
    predicted,
    cast(round(actual, 0) as integer) as actual,
    log_score,
    bias,
    mean_absolute_error,
    rank_correlation,
    pit_share,
    cut_off_date
from {{ ref("int_predictions__backtests") }}
