{# The status of the contract for an order of Shopify; columns of the order, `is_test` a condition. #}
{% macro shopify_order_status(financial_status, fulfillment_status, cancelled_at, is_test) -%}
    case
        when {{ is_test }}
        then 'test'
        when {{ cancelled_at }} is not null
        then 'cancelled'
        when {{ financial_status }} = 'voided'
        then 'voided'
        when {{ financial_status }} = 'expired'
        then 'unpaid'
        when {{ financial_status }} in ('pending', 'authorized')
        then 'pending'
        when lower({{ fulfillment_status }}) = 'fulfilled'
        then 'shipped'
        else 'paid'
    end
{%- endmacro %}

{# Where an order was placed, in the words of the contract. #}
{% macro shopify_sales_channel(source_name) -%}
    case when {{ source_name }} = 'pos' then 'shop' else {{ source_name }} end
{%- endmacro %}

{#
    Adds to every row of an order with its lines: order_discount, what Shopify took off beyond the discounts of the
    lines, and is_incomplete. Shopify's own subtotal decides: it is what is left after all discounts on goods, and unlike
    the total of discounts knows none on shipping. Lines that are worth less than the subtotal are not all there.

    lines: name of a CTE with order_id, line_type, gross, line_discount, subtotal, total_discount.
#}
{% macro shopify_discounted(lines) -%}
    select
        summed.*,
        case
            when is_incomplete
            then null
            when subtotal is null
            then greatest(coalesce(total_discount, 0) - order_line_discount, 0)
            else greatest(order_gross - order_tips - order_line_discount - subtotal, 0)
        end as order_discount
    from
        (
            select
                added.*,
                coalesce(order_gross - order_line_discount < subtotal, false) as is_incomplete
            from
                (
                    select
                        lines.*,
                        coalesce(sum(gross) over (partition by order_id), 0) as order_gross,
                        coalesce(
                            sum(line_discount) over (partition by order_id), 0
                        ) as order_line_discount,
                        coalesce(
                            sum(case when line_type = 'fee' then gross end) over (
                                partition by order_id
                            ),
                            0
                        ) as order_tips,
                        coalesce(
                            sum(
                                case when line_type = 'merchandise' then gross - line_discount end
                            ) over (partition by order_id),
                            0
                        ) as order_merchandise
                    from {{ lines }} as lines
                ) as added
        ) as summed
{%- endmacro %}

{# What a line of the sync tables is; `lines` are columns of order_lines. #}
{% macro shopify_line_type(lines) -%}
    case
        when {{ lines }}.is_gift_card
        then 'gift_card'
        when {{ lines }}.title = 'Tip' and {{ lines }}.product_id is null
        then 'fee'
        else 'merchandise'
    end
{%- endmacro %}

{# The latest row of each id. rows: name of a CTE with raw rows; `version`: the column that says which is later. #}
{% macro shopify_latest(rows, version=none) -%}
    select *
    from {{ rows }}
    qualify
        row_number() over (
            partition by id
            order by
                {% if version %} {{ version }} desc nulls last,{% endif %} _file desc, _row desc
        )
        = 1
{%- endmacro %}
