{# Sums that are the same in whatever order the rows come. #}
{# Of doubles, to 24 decimals and below 1e14; what grows with money needs fewer decimals. #}
{% macro exact_sum(expression, decimals=24) -%}
    cast(sum(cast({{ expression }} as decimal(38, {{ decimals }}))) as double)
{%- endmacro %}

{# Of squares of money, which its own 18 digits cannot hold. #}
{% macro square_sum(amount) -%}
    cast(sum(cast({{ amount }} as decimal(38, 3)) * {{ amount }}) as double)
{%- endmacro %}
