{# Rows of a seed as literals: dbt-spark's own way makes a text of nulls and breaks at an apostrophe. #}
{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model.config.column_types -%}
    {%- set sql -%}
        insert into {{ this }} values
        {%- for row in agate_table.rows %}
            (
            {%- for column in agate_table.column_names %}
                {%- set value = row[column] -%}
                {%- set literal = "'" ~ escape_single_quotes(value | string) ~ "'" -%}
                cast(
                    {{ "null" if value is none else literal }}
                    as {{ types.get(column, adapter.convert_type(agate_table, loop.index0)) }}
                ) {{- ", " if not loop.last }}
            {%- endfor -%}
            ) {{- ", " if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {%- do adapter.add_query(sql, abridge_sql_log=true) -%}
    {{ return(sql) }}
{%- endmacro %}
