{{ config(materialized="view") }}

select check_id, layer, table_name, expectation, severity, observed, description, run_id, passed
from {{ source("quality", "check_results") }}
