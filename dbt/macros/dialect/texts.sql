{# A text with its apostrophes doubled: a backslash is a character like any other (escapedStringLiterals). #}
{% macro spark__escape_single_quotes(expression) -%}
    {{ return(default__escape_single_quotes(expression)) }}
{%- endmacro %}

{# A text with everything that matches a pattern replaced, not only the first. #}
{% macro replace_all(text, pattern, replacement) -%}
    {{ return(adapter.dispatch("replace_all", "regulars")(text, pattern, replacement)) }}
{%- endmacro %}

{% macro default__replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{% macro spark__replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}')
{%- endmacro %}
