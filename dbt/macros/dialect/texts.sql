{# A text with its apostrophes doubled: a backslash is a character like any other (escapedStringLiterals). #}
{% macro spark__escape_single_quotes(expression) -%}
    {{ return(default__escape_single_quotes(expression)) }}
{%- endmacro %}
