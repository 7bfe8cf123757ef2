-- A product is known from the products that the shop delivered, or from a line sold; then it has
-- the name and category of its latest line.
with

    delivered as (select * from {{ ref("stg_products") }}),

    sold as (

        select
            product_id,
            max_by(product_name, (order_date, order_id, line_number)) filter (
                where product_name is not null
            ) as name,
            max_by(category, (order_date, order_id, line_number)) filter (
                where category is not null
            ) as category
        from {{ ref("int_order_lines__priced") }}
        where product_id is not null
        group by product_id

    )

select
    coalesce(delivered.product_id, sold.product_id) as product_id,
    coalesce(delivered.name, sold.name) as name,
    coalesce(delivered.category, sold.category) as category,
    delivered.brand,
    {{ money("delivered.unit_cost") }} as unit_cost
from delivered
full outer join sold on delivered.product_id = sold.product_id
