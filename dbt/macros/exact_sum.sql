{# A sum of doubles that is the same in whatever order the rows come: to 24 decimals, below 1e14. #}
{% macro exact_sum(expression) -%}
    cast(sum(cast({{ expression }} as decimal(38, 24))) as double)
{%- endmacro %}
