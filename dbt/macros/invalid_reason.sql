{#
    Why an order does not count as a sale; null for a valid order. The one place for this rule.

    order_status: status of the contract; merchandise_value: gross sales of the order;
    count_zero_value_orders: the setting, whether an order of value 0 counts; one below 0 never does.
#}
{% macro invalid_reason(order_status, merchandise_value, count_zero_value_orders) -%}
    case
        when {{ order_status }} in ('cancelled', 'unavailable', 'voided', 'fraud', 'test', 'unpaid')
        then {{ order_status }}
        when
            {{ merchandise_value }} < 0
            or (coalesce({{ merchandise_value }}, 0) = 0 and not {{ count_zero_value_orders }})
        then 'no merchandise value'
    end
{%- endmacro %}
