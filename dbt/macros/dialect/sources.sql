{#
    A raw table. On DuckDB the sources say where it lies (external_location); Spark reads the same files, for a raw
    table is a folder named after its source and itself.
#}
{% macro source(source_name, table_name) -%}
    {%- set relation = builtins.source(source_name, table_name) -%}
    {{ return(adapter.dispatch("raw_table", "regulars")(relation, source_name, table_name)) }}
{%- endmacro %}

{% macro default__raw_table(relation, source_name, table_name) -%}
    {{ return(relation) }}
{%- endmacro %}

{% macro spark__raw_table(relation, source_name, table_name) -%}
    {%- set warehouse = env_var("REGULARS_WAREHOUSE", env_var("PWD", ".") ~ "/warehouse") -%}
    {{ return("parquet.`" ~ warehouse ~ "/raw/" ~ source_name ~ "/" ~ table_name ~ "`") }}
{%- endmacro %}
