select
    models.model_name,
    models.cohort,
    models.parameters,
    models.standard_errors,
    models.log_likelihood,
    models.rank_correlation,
    cast(models.customers as integer) as customers,
    models.note,
    models.refusal_reason,
    models.has_converged,
    models.is_boundary,
    models.is_chosen,
    models.cut_off_date,
    settings.as_of_date
from {{ ref("int_predictions__models") }} as models
cross join {{ ref("int_run__settings") }} as settings
