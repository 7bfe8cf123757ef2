with

    lines as (select * from {{ ref("int_order_lines__priced") }}),

    orders as (select * from {{ ref("int_orders__valued") }}),

    refunds as (

        select
            order_id,
            line_number,
            sum(amount) as refund_amount,
            sum(amount_refund_currency) as refund_order_currency
        from {{ ref("int_refunds__matched") }}
        where line_number is not null and line_type = 'merchandise'
        group by order_id, line_number

    )

select
    lines.order_id,
    lines.product_id,
    orders.customer_id,
    lines.product_name,
    lines.category,
    lines.line_type,
    lines.currency,
    lines.line_number,
    lines.quantity,
    lines.unit_price,
    lines.line_amount as line_amount_order_currency,
    lines.gross_sales,
    lines.discount_amount,
    {{ money("coalesce(refunds.refund_amount, 0)") }} as refund_amount,
    {{ money("lines.gross_sales - lines.discount_amount - coalesce(refunds.refund_amount, 0)") }}
    as net_sales,
    {{
        money(
            "lines.gross_sales_order_currency - lines.discount_order_currency - coalesce(refunds.refund_order_currency, 0)"
        )
    }}
    as net_sales_order_currency,
    lines.cost,
    orders.is_valid,
    lines.order_date
from lines
inner join orders on lines.order_id = orders.order_id
left join refunds on lines.order_id = refunds.order_id and lines.line_number = refunds.line_number
