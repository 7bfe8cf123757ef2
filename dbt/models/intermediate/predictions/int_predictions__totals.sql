-- Nothing of a fit to another intake, which a build without a fit of its own would find.
select
    cohort_month,
    acquisition_channel,
    until_date,
    expected_purchases,
    expected_purchases_lower,
    expected_purchases_upper,
    expected_sales,
    expected_sales_lower,
    expected_sales_upper
from {{ source("ltv", "totals") }}
where run_id = (select run_id from {{ ref("int_run__settings") }})
