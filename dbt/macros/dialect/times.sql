{# Seconds from one timestamp to another, with their fraction; negative where the second is earlier. #}
{% macro seconds_between(from_timestamp, to_timestamp) -%}
    {{ return(adapter.dispatch("seconds_between", "regulars")(from_timestamp, to_timestamp)) }}
{%- endmacro %}

{% macro default__seconds_between(from_timestamp, to_timestamp) -%}
    ((epoch_us({{ to_timestamp }}) - epoch_us({{ from_timestamp }})) / 1000000e0)
{%- endmacro %}

{% macro spark__seconds_between(from_timestamp, to_timestamp) -%}
    (
        (
            unix_micros(cast({{ to_timestamp }} as timestamp_ltz))
            - unix_micros(cast({{ from_timestamp }} as timestamp_ltz))
        )
        / 1000000e0
    )
{%- endmacro %}
