{# source_name of every row, from every connector, of these entities in which a key is given. #}
{% macro union_keys(entities, key) -%}
    {%- set parts = [] -%}
    {%- for connector, brought in var("connectors").items() -%}
        {%- for entity in entities if entity in brought -%}
            {%- do parts.append(
                "select source_name from "
                ~ ref("base_" ~ connector ~ "__" ~ entity)
                ~ " where "
                ~ key
                ~ " is not null"
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ parts | join(" union all ") }}
{%- endmacro %}
