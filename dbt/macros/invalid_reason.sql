{#
    Why an order does not count as a sale; null for a valid order. The one place for this rule.

    order_status: status of the contract; merchandise_value: gross sales of the order;
    count_zero_value_orders: the setting, whether an order without merchandise value counts.
#}
{% macro invalid_reason(order_status, merchandise_value, count_zero_value_orders) -%}
    case
        when {{ order_status }} in ('cancelled', 'unavailable', 'voided', 'fraud', 'test', 'unpaid')
        then {{ order_status }}
        when coalesce({{ merchandise_value }}, 0) <= 0 and not {{ count_zero_value_orders }}
        then 'no merchandise value'
    end
{%- endmacro %}
