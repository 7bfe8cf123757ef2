-- Nothing of a fit to another intake, which a build without a fit of its own would find.
select valued_repeats, p, q, gamma, largest_repeat_sales
from {{ source("ltv", "values") }}
where run_id = (select run_id from {{ ref("int_run__settings") }})
