{#
    The grain of a table: no two rows agree in all of these columns, and none of them is empty but those in
    may_be_empty. The columns in `filled` are never empty either. One test for all, since each test of dbt has a price.
#}
{% test grain(model, columns, may_be_empty=[], filled=[]) %}
    select {{ columns | join(", ") }}, count(*) as row_count
    from {{ model }}
    group by {{ columns | join(", ") }}
    having
        count(*) > 1
        {%- for column in columns if column not in may_be_empty %}
            or {{ column }} is null
        {%- endfor %}
        {%- for column in filled %} or count({{ column }}) < count(*) {%- endfor %}
{% endtest %}
