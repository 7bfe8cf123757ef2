{# What repeat rates are split by: columns of int_repeat__customers. #}
{% macro repeat_dimensions() -%}
    {{
        return(
            [
                "acquisition_channel",
                "country",
                "first_category",
                "first_categories",
                "is_discount_acquired",
                "device",
            ]
        )
    }}
{%- endmacro %}
