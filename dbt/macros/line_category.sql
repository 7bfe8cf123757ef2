{#
    What becomes of the amount of an order line or of its refund, in the books. An order without merchandise still
    has its postage and fees; one that was cancelled has nothing.

    line_type: of the contract; invalid_reason: of the order, null for a valid one.
#}
{% macro line_category(line_type, invalid_reason) -%}
    case
        when coalesce({{ invalid_reason }}, 'no merchandise value') <> 'no merchandise value'
        then 'order not valid'
        when {{ line_type }} <> 'merchandise'
        then {{ line_type }}
        when {{ invalid_reason }} is not null
        then 'order not valid'
        else 'sale'
    end
{%- endmacro %}
