-- Nothing of a fit for another date, which a build without a fit of its own would find.
select valued_repeats, p, q, gamma, largest_repeat_sales
from {{ source("ltv", "values") }}
where as_of_date = (select as_of_date from {{ ref("int_run__settings") }})
