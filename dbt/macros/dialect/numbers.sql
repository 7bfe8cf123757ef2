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

{# One row per whole number from the first to the last, both included; none where the last is below the first. #}
{% macro numbers_between(first_number, last_number) -%}
    {{ return(adapter.dispatch("numbers_between", "regulars")(first_number, last_number)) }}
{%- endmacro %}

{% macro default__numbers_between(first_number, last_number) -%}
    unnest(generate_series({{ first_number }}, {{ last_number }}))
{%- endmacro %}

{% macro spark__numbers_between(first_number, last_number) -%}
    explode(
        case
            when {{ first_number }} <= {{ last_number }}
            then sequence({{ first_number }}, {{ last_number }})
        end
    )
{%- endmacro %}
