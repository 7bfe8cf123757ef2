{# Calendar months from the month of one date to the month of another. #}
{% macro months_between(from_date, to_date) -%}
    (
        (year({{ to_date }}) - year({{ from_date }})) * 12
        + month({{ to_date }})
        - month({{ from_date }})
    )
{%- endmacro %}

{# The first day of the month of a date. #}
{% macro month_start(any_date) -%} cast(date_trunc('month', {{ any_date }}) as date) {%- endmacro %}
