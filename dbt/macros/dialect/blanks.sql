{# A text without blanks at its ends, and with single ones in between; tabs and line ends are blanks. #}
{% macro single_blanks(text) -%}
    {{ return(adapter.dispatch("single_blanks", "regulars")(text)) }}
{%- endmacro %}

{% macro default__single_blanks(text) -%}
    trim(regexp_replace({{ text }}, '[ \t\r\n]+', ' ', 'g'))
{%- endmacro %}

{% macro spark__single_blanks(text) -%}
    trim(regexp_replace({{ text }}, '[ \t\r\n]+', ' '))
{%- endmacro %}
