select run_id, metric, customer_id, old_value, new_value, cause, period_start, restated_at
from {{ source("previous", "fct_restatements") }}
