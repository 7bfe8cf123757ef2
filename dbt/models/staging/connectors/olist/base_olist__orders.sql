with

    orders as (select * from {{ source("olist", "orders") }}),

    customers as (

        select customer_id, customer_unique_id
        from {{ source("olist", "customers") }}
        qualify row_number() over (partition by customer_id order by _file desc, _row desc) = 1

    ),

    items as (

        select order_id, freight_value
        from {{ source("olist", "order_items") }}
        qualify
            row_number() over (partition by order_id, order_item_id order by _file desc, _row desc)
            = 1

    ),

    freight as (select order_id, sum(freight_value) as shipping_amount from items group by order_id)

select
    'olist' as source_name,
    orders.order_id,
    customers.customer_unique_id as customer_id,
    cast(null as string) as customer_email_hash,
    case
        orders.order_status
        when 'created'
        then 'pending'
        when 'approved'
        then 'paid'
        when 'invoiced'
        then 'processing'
        when 'canceled'
        then 'cancelled'
        else orders.order_status
    end as order_status,
    'BRL' as currency,
    'marketplace' as sales_channel,
    cast(null as string) as acquisition_channel,
    cast(null as string) as campaign,
    cast(null as string) as device,
    'BR' as country_code,
    cast(null as string) as discount_code,
    cast(null as decimal(18, 6)) as merchandise_amount,
    cast(null as decimal(18, 6)) as discount_amount,
    cast(freight.shipping_amount as decimal(18, 6)) as shipping_amount,
    cast(null as decimal(18, 6)) as tax_amount,
    cast(null as decimal(18, 6)) as tip_amount,
    orders.order_purchase_timestamp as ordered_at,
    cast(null as timestamp) as updated_at,
    orders._file,
    orders._row
from orders
left join customers on orders.customer_id = customers.customer_id
left join freight on orders.order_id = freight.order_id
