{#
    A key as the warehouse uses it: the source's own, with the source's name before it where several sources
    supply that kind of key. `kind` is order, customer or product; the rows stand beside `sources` (stg_sources).
#}
{% macro source_key(column, kind) -%}
    case
        when sources.has_many_{{ kind }}_sources
        then latest.source_name || ':' || latest.{{ column }}
        else latest.{{ column }}
    end
{%- endmacro %}
