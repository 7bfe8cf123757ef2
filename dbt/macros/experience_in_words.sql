{# A bad experience as a marketer says it. signal_type: of int_experience__signals. #}
{% macro experience_in_words(signal_type) -%}
    case
        {{ signal_type }}
        when 'rating'
        then 'rated an order 2 stars or less'
        when 'promoter_score'
        then 'would not recommend the shop (0 to 6 of 10)'
        when 'satisfaction'
        then 'is not satisfied (1 or 2 of 5)'
        when 'support_satisfaction'
        then 'was not satisfied with support (1 or 2 of 5)'
        when 'late_delivery'
        then 'the order was not there 3 days after the promised date'
        when 'defect'
        then 'sent back a faulty product'
    end
{%- endmacro %}
