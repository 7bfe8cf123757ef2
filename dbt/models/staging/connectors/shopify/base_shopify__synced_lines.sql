-- The lines of the sync tables with their discounts. Where the tables say what each discount took
-- off a line (discount_allocations), that is its discount; else what stands on the line.
with

    order_rows as (select * from {{ source("shopify", "orders") }}),

    line_rows as (select * from {{ source("shopify", "order_lines") }}),

    latest_orders as ({{ shopify_latest("order_rows", "updated_at") }}),

    latest_lines as ({{ shopify_latest("line_rows") }}),

    allocated as (

        select order_line_id, sum(amount) as amount
        from
            (
                select *
                from {{ source("shopify", "discount_allocations") }}
                qualify
                    row_number() over (
                        partition by order_line_id, position order by _file desc, _row desc
                    )
                    = 1
            ) as latest_allocations
        group by order_line_id

    ),

    placed as (

        select
            latest_lines.id,
            latest_lines.order_id,
            latest_lines.product_id,
            latest_lines.variant_id,
            latest_lines.title,
            latest_lines.quantity,
            coalesce(
                latest_lines.price,
                cast(
                    round(
                        latest_lines.original_total / nullif(latest_lines.quantity, 0), 6
                    ) as decimal(18, 6)
                )
            ) as unit_price,
            {{ shopify_line_type("latest_lines") }} as line_type,
            coalesce(
                latest_lines.original_total,
                cast(latest_lines.quantity as decimal(28, 3)) * latest_lines.price
            ) as gross,
            coalesce(allocated.amount, latest_lines.total_discount, 0) as line_discount,
            latest_orders.subtotal_price as subtotal,
            latest_orders.total_discounts as total_discount,
            latest_lines._file,
            latest_lines._row
        from latest_lines
        left join latest_orders on latest_lines.order_id = latest_orders.id
        left join allocated on latest_lines.id = allocated.order_line_id

    )

    {{ shopify_discounted("placed") }}
