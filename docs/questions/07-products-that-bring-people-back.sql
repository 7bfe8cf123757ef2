-- Which first products bring people who return?
--
-- A row is a product that at least ten customers had in their first purchase, 180 days ago or
-- longer: how many of them bought again within 180 days. It is no proof that the product did
-- it. Few customers make shares that jump.
with

    today as (select max(lifecycle_date) as as_of_date from fct_lifecycle_daily),

    firsts as (

        select distinct lines.product_id, orders.customer_id, orders.order_date as first_date
        from fct_orders as orders
        inner join fct_order_lines as lines on orders.order_id = lines.order_id
        where orders.purchase_number = 1 and lines.line_type = 'merchandise'

    ),

    seconds as (

        select customer_id, min(order_date) as second_date
        from fct_orders
        where purchase_number = 2
        group by customer_id

    )

select
    firsts.product_id,
    products.name,
    products.category,
    count(distinct firsts.customer_id) as customers,
    count(distinct seconds.customer_id) as returned,
    round(
        cast(
            100.0
            * count(distinct seconds.customer_id)
            / count(distinct firsts.customer_id) as decimal(18, 6)
        ),
        1
    ) as returned_percent
from firsts
inner join dim_products as products on firsts.product_id = products.product_id
cross join today
left join
    seconds
    on firsts.customer_id = seconds.customer_id
    and seconds.second_date <= firsts.first_date + 180
where firsts.first_date + 180 <= today.as_of_date
group by firsts.product_id, products.name, products.category
having count(distinct firsts.customer_id) >= 10
order by returned_percent desc, customers desc, firsts.product_id
limit 15
