{# Exact integer division, rounded towards zero. #}
{% macro integer_divide(dividend, divisor) -%}
    {{ return(adapter.dispatch("integer_divide", "regulars")(dividend, divisor)) }}
{%- endmacro %}

{% macro default__integer_divide(dividend, divisor) -%}
    divide(cast({{ dividend }} as hugeint), cast({{ divisor }} as hugeint))
{%- endmacro %}

{% macro spark__integer_divide(dividend, divisor) -%}
    (({{ dividend }}) div({{ divisor }}))
{%- endmacro %}
