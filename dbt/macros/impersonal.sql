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
        ' ' || lower({{ replace_all(text, "[^\\p{L}\\p{M}]+", " ") }}) || ' '
    {%- endset -%}
    case
        when
            {%- for name in ["first_name", "last_name"] %}
                {% if not loop.first %} or{% endif %} {{ words }}
                like '% '
                || lower({{ replace_all(contacts ~ "." ~ name, "[^\\p{L}\\p{M}]+", " ") }})
                || ' %'
            {%- endfor %}
        then '(name)'
        else {{ without_addresses(text) }}
    end
{%- endmacro %}
