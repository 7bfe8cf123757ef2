{# None of these columns is empty in any row: one test for all, since each test of dbt has a price. #}
{% test not_null_columns(model, columns) %}
    select * from {{ model }} where {{ columns | join(" is null or ") }} is null
{% endtest %}
