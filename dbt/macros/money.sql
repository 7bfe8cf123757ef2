{# The type of every amount in intermediate models and marts: three decimals hold the minor unit of every currency. #}
{% macro money(expression) -%} cast({{ expression }} as decimal(18, 3)) {%- endmacro %}

{#
    An amount rounded once, half up, to the minor unit of its currency.
    `currency` is the alias of a row of the seed `currencies`.
#}
{% macro round_money(expression, currency="currencies") -%}
    cast(
        round(({{ expression }}) * {{ currency }}.minor_units_per_unit, 0)
        * {{ currency }}.minor_unit_value as decimal(18, 3)
    )
{%- endmacro %}

{# A share between 0 and 1; null where nothing was counted. #}
{% macro share(part, whole) -%}
    cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0)
{%- endmacro %}

{# An amount divided by a count, exact and then rounded once, half up; null where nothing was counted. #}
{% macro money_per(amount, count) -%}
    {%- set dividend %}
        cast(2000 * {{ amount }} as bigint)
        + case when {{ amount }} < 0 then - {{ count }} else {{ count }} end
    {%- endset %}
    {{ money(integer_divide(dividend, "2 * nullif(" ~ count ~ ", 0)") ~ " * 0.001") }}
{%- endmacro %}
