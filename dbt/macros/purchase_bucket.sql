{# The bucket of purchase numbers in which silences are compared: 1, 2, 3, 4-6, 7+. #}
{% macro purchase_bucket(purchase_number) -%}
    case
        when {{ purchase_number }} <= 3
        then cast({{ purchase_number }} as string)
        when {{ purchase_number }} <= 6
        then '4-6'
        else '7+'
    end
{%- endmacro %}
