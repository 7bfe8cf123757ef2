-- A view until publication, so that the results of the checks on the marts are in it.
{{ config(materialized="view") }}

select check_id, layer, table_name, expectation, severity, observed, description, run_id, passed
from {{ ref("int_quality__check_results") }}
