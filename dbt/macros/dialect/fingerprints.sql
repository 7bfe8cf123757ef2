{#
    A text that is the same for two groups of rows only where the rows are the same, in whatever order they come.

    columns: a list of expressions.
#}
{% macro fingerprint(columns) -%}
    {{ return(adapter.dispatch("fingerprint", "regulars")(columns)) }}
{%- endmacro %}

{% macro default__fingerprint(columns) -%}
    (
        cast(count(*) as string)
        || '-'
        || cast(coalesce(sum(hash({{ columns | join(", ") }})), 0) as string)
    )
{%- endmacro %}

{% macro spark__fingerprint(columns) -%}
    (
        cast(count(*) as string)
        || '-'
        || cast(
            coalesce(sum(cast(xxhash64({{ columns | join(", ") }}) as decimal(38, 0))), 0) as string
        )
    )
{%- endmacro %}
