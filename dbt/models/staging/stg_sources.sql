with

    order_sources as (select source_name from ({{ union_keys(["orders"], "order_id") }})),

    customer_sources as (

        select source_name from ({{ union_keys(["customers", "orders"], "customer_id") }})

    ),

    product_sources as (

        select source_name from ({{ union_keys(["products", "order_lines"], "product_id") }})

    )

select
    (select count(distinct source_name) > 1 from order_sources) as has_many_order_sources,
    (select count(distinct source_name) > 1 from customer_sources) as has_many_customer_sources,
    (select count(distinct source_name) > 1 from product_sources) as has_many_product_sources
