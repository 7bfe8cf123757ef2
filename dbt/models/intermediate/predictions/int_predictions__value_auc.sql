-- Nothing of a fit to another intake, which a build without a fit of its own would find.
select month, value_auc, value_auc_lower, value_auc_upper
from {{ source("ltv", "value_auc") }}
where run_id = (select run_id from {{ ref("int_run__settings") }})
