select product_id, name, category, brand, unit_cost from {{ ref("int_products__known") }}
