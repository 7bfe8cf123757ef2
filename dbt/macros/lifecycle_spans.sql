{# What int_lifecycle__spans tells of: the stages and the flags. #}
{% macro lifecycle_spans() -%}
    {{
        return(
            [
                "acquisition",
                "onboarding",
                "retention",
                "loyalty",
                "negative_experience",
                "inactive",
                "at_risk",
                "hero",
                "top_value",
                "won_back",
                "new",
                "cart_abandoner",
            ]
        )
    }}
{%- endmacro %}
