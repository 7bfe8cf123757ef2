{# The rules of questions as one row: a column for each. #}
{% macro question_rules() -%}
    select
        {% for rule in [
            "profile_purchases",
            "profile_days",
            "usual_percent",
            "shop_purchases",
            "rare_percent",
            "contradicting_acts",
            "expires_after_days",
        ] %}
            max(value) filter (where rule = '{{ rule }}') as {{ rule }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from {{ ref("question_rules") }}
{%- endmacro %}
