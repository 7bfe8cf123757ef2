with

    orders as (

        select
            numbered.customer_id,
            numbered.purchase_number,
            valued.order_date,
            valued.gross_sales,
            valued.discount_amount,
            valued.net_sales,
            margins.contribution_margin,
            valued.sales_with_known_cost
        from {{ ref("int_orders__numbered") }} as numbered
        inner join {{ ref("int_orders__valued") }} as valued on numbered.order_id = valued.order_id
        inner join
            {{ ref("int_orders__margins") }} as margins on numbered.order_id = margins.order_id

    ),

    occasions as (

        select
            customer_id,
            purchase_number,
            order_date as purchase_date,
            count(*) as orders,
            {{ money("sum(gross_sales - discount_amount)") }} as sales_before_refunds,
            {{ money("sum(net_sales)") }} as net_sales,
            {{ money("sum(contribution_margin)") }} as contribution_margin,
            {{ money("sum(sales_with_known_cost)") }} as sales_with_known_cost
        from orders
        group by customer_id, purchase_number, order_date

    ),

    placed as (

        select
            *,
            min(purchase_date) over (partition by customer_id) as first_purchase_date,
            lag(purchase_date) over (
                partition by customer_id order by purchase_number
            ) as previous_purchase_date,
            lead(purchase_date) over (
                partition by customer_id order by purchase_number
            ) as next_purchase_date
        from occasions

    )

select
    customer_id,
    purchase_number,
    orders,
    sales_before_refunds,
    net_sales,
    contribution_margin,
    sales_with_known_cost,
    {{ days_between("first_purchase_date", "purchase_date") }} as days_since_first_purchase,
    {{ days_between("previous_purchase_date", "purchase_date") }} as days_since_previous_purchase,
    {{ days_between("purchase_date", "next_purchase_date") }} as days_to_next_purchase,
    purchase_date,
    first_purchase_date,
    previous_purchase_date,
    next_purchase_date
from placed
