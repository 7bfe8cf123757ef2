select
    run_id,
    time_zone,
    reporting_currency,
    follow_up_days,
    merge_same_day_orders,
    count_zero_value_orders,
    as_of_date
from {{ source("run", "settings") }}
