{# A text with its apostrophes doubled: a backslash is a character like any other (escapedStringLiterals). #}
{% macro spark__escape_single_quotes(expression) -%}
    {{ return(default__escape_single_quotes(expression)) }}
{%- endmacro %}

{# A row for each word of a text. #}
{% macro each_word(text) -%}
    {{ return(adapter.dispatch("each_word", "regulars")(text)) }}
{%- endmacro %}

{% macro default__each_word(text) -%}
    unnest(string_split({{ words_of(text) }}, ' '))
{%- endmacro %}

{% macro spark__each_word(text) -%} explode(split({{ words_of(text) }}, ' ')) {%- endmacro %}

{# The letters of a text alone, small, with a blank for whatever stands between them. #}
{% macro words_of(text) -%} lower({{ replace_all(text, "[^\\p{L}\\p{M}]+", " ") }}) {%- endmacro %}

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
