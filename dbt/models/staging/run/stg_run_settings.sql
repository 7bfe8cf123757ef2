select
    run_id,
    time_zone,
    reporting_currency,
    follow_up_days,
    merge_same_day_orders,
    count_zero_value_orders,
    keep_identical_rows,
    as_of_date
from {{ source("run", "settings") }}
