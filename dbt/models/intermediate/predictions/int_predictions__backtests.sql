select
    model_name,
    frequency_bucket,
    horizon_days,
    customers,
    predicted,
    actual,
    log_score,
    bias,
    mean_absolute_error,
    rank_correlation,
    pit_share,
    cut_off_date
from {{ source("ltv", "backtests") }}
