{# The identifier after which a person is named: the oldest account, else the oldest address. person: column that says
   which rows are one person. #}
{% macro oldest_identifier(person) -%}
    first_value(identifier) over (
        partition by {{ person }}
        order by
            case when identifier_type = 'account' then 0 else 1 end,
            known_since nulls last,
            identifier
        rows between unbounded preceding and unbounded following
    )
{%- endmacro %}
