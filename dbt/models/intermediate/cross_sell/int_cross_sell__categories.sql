with

    refunds as (

        select order_id, line_number, sum(amount) as refund_amount
        from {{ ref("int_refunds__matched") }}
        where line_number is not null and line_type = 'merchandise'
        group by order_id, line_number

    )

select
    numbered.customer_id,
    numbered.purchase_number,
    lines.category,
    lines.order_date as purchase_date,
    {{
        money(
            "sum(lines.gross_sales - lines.discount_amount - coalesce(refunds.refund_amount, 0) - coalesce(lines.cost, 0))"
        )
    }}
    as margin,
    row_number() over (
        partition by numbered.customer_id, lines.category order by numbered.purchase_number
    )
    = 1 as is_first
from {{ ref("int_orders__numbered") }} as numbered
inner join {{ ref("int_order_lines__priced") }} as lines on numbered.order_id = lines.order_id
left join refunds on lines.order_id = refunds.order_id and lines.line_number = refunds.line_number
where lines.line_type = 'merchandise' and lines.category is not null
group by numbered.customer_id, numbered.purchase_number, lines.category, lines.order_date
