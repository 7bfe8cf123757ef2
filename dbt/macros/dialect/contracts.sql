{# The types of a contract as Spark names them: its varchar has a length, a text is a string. #}
{% macro spark__get_empty_schema_sql(columns) -%}
    {%- set typed = {} -%}
    {%- for name, column in columns.items() -%}
        {%- set data_type = "string" if column.data_type == "varchar" else column.data_type -%}
        {%- do typed.update({name: dict(column, data_type=data_type)}) -%}
    {%- endfor -%}
    {{ return(default__get_empty_schema_sql(typed)) }}
{%- endmacro %}
