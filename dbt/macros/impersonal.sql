{# A text that people write, in which "(address)" stands for whatever looks like an e-mail address. #}
{% macro without_addresses(text) -%}
    case
        when {{ text }} like '%@%' or {{ text }} like '%!%40%' escape '!'
        then
            {{
                replace_all(
                    text,
                    '[^ \\t\\r\\n<>(),;:"@/?&=]+(@|%40)[^ \\t\\r\\n<>(),;:"@/?&=]+',
                    "(address)",
                )
            }}
        else {{ text }}
    end
{%- endmacro %}

{#
    What a person has written, without addresses; "(name)" alone where it holds the writer's own name.

    contacts: the alias of the writer's row of stg_contacts.
#}
{% macro impersonal(text, contacts) -%}
    {%- set words -%}
        ' ' || lower(translate({{ text }}, '.,;:!?()"/', '          ')) || ' '
    {%- endset -%}
    case
        when
            {{ words }} like '% ' || lower({{ contacts }}.first_name) || ' %'
            or {{ words }} like '% ' || lower({{ contacts }}.last_name) || ' %'
        then '(name)'
        else {{ without_addresses(text) }}
    end
{%- endmacro %}
