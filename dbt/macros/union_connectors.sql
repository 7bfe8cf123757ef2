{# The rows of one contract entity from every connector that brings it (dbt_project.yml, vars.connectors). #}
{% macro union_connectors(entity) -%}
    {%- for connector, entities in var("connectors").items() if entity in entities -%}
        {%- if not loop.first %}
            union all
        {% endif -%}
        select *
        from {{ ref("base_" ~ connector ~ "__" ~ entity) }}
    {%- endfor -%}
{%- endmacro %}
