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

    names: the columns of the writer's first and last name.
#}
{% macro impersonal(text, names=["contacts.first_name", "contacts.last_name"]) -%}
    case
        when
            {%- for name in names %}
                {% if not loop.first %} or{% endif %} ' ' || {{ words_of(text) }} || ' '
                like '% ' || {{ words_of(name) }} || ' %'
            {%- endfor %}
        then '(name)'
        else {{ without_addresses(text) }}
    end
{%- endmacro %}
