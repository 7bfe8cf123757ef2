{# The calendar date, in the shop's time zone, of a UTC timestamp. #}
{% macro shop_date(utc_timestamp, time_zone) -%}
    {{ return(adapter.dispatch("shop_date", "regulars")(utc_timestamp, time_zone)) }}
{%- endmacro %}

{% macro default__shop_date(utc_timestamp, time_zone) -%}
    cast(timezone({{ time_zone }}, timezone('UTC', {{ utc_timestamp }})) as date)
{%- endmacro %}

{% macro spark__shop_date(utc_timestamp, time_zone) -%}
    cast(convert_timezone('UTC', {{ time_zone }}, {{ utc_timestamp }}) as date)
{%- endmacro %}

{# Whole calendar days from one date to another; negative where the second is earlier. #}
{% macro days_between(from_date, to_date) -%}
    {{ return(adapter.dispatch("days_between", "regulars")(from_date, to_date)) }}
{%- endmacro %}

{% macro default__days_between(from_date, to_date) -%}
    date_diff('day', {{ from_date }}, {{ to_date }})
{%- endmacro %}

{% macro spark__days_between(from_date, to_date) -%}
    cast(datediff({{ to_date }}, {{ from_date }}) as bigint)
{%- endmacro %}

{# The date so many days later; `days` may be a column. #}
{% macro add_days(from_date, days) -%}
    {{ return(adapter.dispatch("add_days", "regulars")(from_date, days)) }}
{%- endmacro %}

{% macro default__add_days(from_date, days) -%}
    cast({{ from_date }} + cast({{ days }} as integer) as date)
{%- endmacro %}

{% macro spark__add_days(from_date, days) -%}
    date_add({{ from_date }}, cast({{ days }} as integer))
{%- endmacro %}

{# The date so many calendar months later; `months` may be a column. #}
{% macro add_months(from_date, months) -%}
    {{ return(adapter.dispatch("add_months", "regulars")(from_date, months)) }}
{%- endmacro %}

{% macro default__add_months(from_date, months) -%}
    cast({{ from_date }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{% macro spark__add_months(from_date, months) -%}
    add_months({{ from_date }}, cast({{ months }} as integer))
{%- endmacro %}

{# The moment so many seconds later; earlier where they are negative. #}
{% macro add_seconds(moment, seconds) -%}
    {{ moment }} + interval '{{ seconds }}' second
{%- endmacro %}

{# The moment so many hours later. #}
{% macro add_hours(moment, hours) -%} {{ moment }} + interval {{ hours }} hour {%- endmacro %}

{# One row per date from the first to the last, both included; none where either is null. #}
{% macro dates_between(first_date, last_date) -%}
    {{ return(adapter.dispatch("dates_between", "regulars")(first_date, last_date)) }}
{%- endmacro %}

{% macro default__dates_between(first_date, last_date) -%}
    cast(
        unnest(
            generate_series(
                cast({{ first_date }} as timestamp),
                cast({{ last_date }} as timestamp),
                interval 1 day
            )
        ) as date
    )
{%- endmacro %}

{% macro spark__dates_between(first_date, last_date) -%}
    explode(
        case
            when {{ first_date }} <= {{ last_date }}
            then sequence({{ first_date }}, {{ last_date }}, interval 1 day)
        end
    )
{%- endmacro %}
