select
    model_name,
    cohort,
    parameters,
    standard_errors,
    log_likelihood,
    customers,
    rank_correlation,
    note,
    refusal_reason,
    has_converged,
    is_boundary,
    is_chosen,
    cut_off_date
from {{ source("ltv", "models") }}
