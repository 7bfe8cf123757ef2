{#
    Each row of a common table expression beside the row of it that one of its columns points at; columns of that are
    named above_<column>, and empty where nothing is pointed at. On Spark by a window, for Spark computes an expression
    as often as it is named, and twenty doublings of pointers would be a million of them.

    rows: the expression; key: its key; pointer: the column that holds the key of another row, or null; columns: what of
    that row is wanted.
#}
{% macro beside_pointed_at(rows, key, pointer, columns) -%}
    {{ return(adapter.dispatch("beside_pointed_at", "regulars")(rows, key, pointer, columns)) }}
{%- endmacro %}

{% macro default__beside_pointed_at(rows, key, pointer, columns) -%}
    (
        select
            own.*
            {%- for column in columns %}, above.{{ column }} as above_{{ column }} {%- endfor %}
        from {{ rows }} as own
        left join {{ rows }} as above on own.{{ pointer }} = above.{{ key }}
    )
{%- endmacro %}

{% macro spark__beside_pointed_at(rows, key, pointer, columns) -%}
    (
        select *
        from
            (
                select
                    *
                    {%- for column in columns %}
                        ,
                        case
                            when {{ pointer }} is not null
                            then
                                max(case when is_pointed_at then {{ column }} end) over (
                                    partition by place
                                )
                        end as above_{{ column }}
                    {%- endfor %}
                from
                    (
                        select
                            *,
                            case
                                when is_pointed_at
                                then {{ key }}
                                else coalesce({{ pointer }}, {{ key }})
                            end as place
                        from {{ rows }}
                        cross join
                            (
                                select true as is_pointed_at
                                union all
                                select false as is_pointed_at
                            )
                    )
            )
        where not is_pointed_at
    )
{%- endmacro %}
