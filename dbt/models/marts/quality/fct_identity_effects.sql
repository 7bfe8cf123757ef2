-- The same valid orders, counted by what the shop delivered and by the persons that were made of
-- it.
with

    dated as (select * from {{ ref("int_orders__dated") }}),

    valued as (select * from {{ ref("int_orders__valued") }} where is_valid),

    resolved as (select * from {{ ref("int_identity__resolved") }}),

    accounts as (select * from resolved where identifier_type = 'account'),

    emails as (select * from resolved where identifier_type = 'email'),

    orders as (

        select
            valued.order_date,
            valued.net_sales,
            coalesce(dated.account_id, dated.email_hash) as identifier,
            coalesce(
                accounts.customer_id_by_rules, emails.customer_id_by_rules
            ) as customer_id_by_rules,
            valued.customer_id
        from valued
        inner join dated on valued.order_id = dated.order_id
        left join accounts on dated.account_id = accounts.identifier
        left join
            emails
            on case when accounts.customer_id_by_rules is null then dated.email_hash end
            = emails.identifier

    ),

    counted_by as (

        select 'as delivered' as resolution, identifier as customer_id, order_date, net_sales
        from orders
        union all
        select 'by rules' as resolution, customer_id_by_rules as customer_id, order_date, net_sales
        from orders
        union all
        select 'by rules and overrides' as resolution, customer_id, order_date, net_sales
        from orders

    ),

    customers as (

        select
            resolution,
            customer_id,
            count(*) as orders,
            count(distinct order_date) as purchase_dates,
            sum(net_sales) as net_sales
        from counted_by
        group by resolution, customer_id

    ),

    summed as (

        select
            resolution,
            count(customer_id) as customers,
            count(*) filter (
                where customer_id is not null and purchase_dates > 1
            ) as repeat_customers,
            coalesce(sum(orders) filter (where customer_id is null), 0) as orders_without_customer,
            sum(net_sales) filter (where customer_id is not null) as net_sales
        from customers
        group by resolution

    )

select
    resolution,
    customers,
    repeat_customers,
    cast(orders_without_customer as bigint) as orders_without_customer,
    {{ money("coalesce(net_sales, 0)") }} as net_sales,
    {{ money_per("net_sales", "customers") }} as net_sales_per_customer
from summed
