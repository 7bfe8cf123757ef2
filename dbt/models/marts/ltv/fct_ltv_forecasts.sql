-- What the customers of today will bring; those who are yet to come are not in it.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    shares as (select * from {{ ref("int_ltv__shares") }}),

    totals as (select * from {{ ref("int_predictions__totals") }} where cohort_month is null)

select
    cast({{ days_between("settings.as_of_date", "totals.until_date") }} as integer) as horizon_days,
    {% for bound in ["", "_lower", "_upper"] %}
        totals.expected_purchases{{ bound }} as purchases{{ bound }},
    {% endfor %}
    {% for bound in ["", "_lower", "_upper"] %}
        {{ money("totals.expected_sales" ~ bound ~ " * shares.kept_share") }}
        as net_sales{{ bound }},
    {% endfor %}
    {% set margin = "shares.kept_share * shares.margin_share" -%}
    {%- set lower = "totals.expected_sales_lower * " ~ margin -%}
    {%- set upper = "totals.expected_sales_upper * " ~ margin -%}
    {{ money("totals.expected_sales * " ~ margin) }} as margin,
    {{ money("least(" ~ lower ~ ", " ~ upper ~ ")") }} as margin_lower,
    {{ money("greatest(" ~ lower ~ ", " ~ upper ~ ")") }} as margin_upper,
    shares.known_cost_share,
    totals.until_date
from totals
cross join shares
cross join settings
