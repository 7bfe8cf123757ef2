with

    orders as (select * from {{ ref("int_orders__valued") }}),

    numbered as (select * from {{ ref("int_orders__numbered") }}),

    purchases as (select * from {{ ref("int_purchases__occasions") }})

select
    orders.order_id,
    orders.source_name,
    orders.customer_id,
    orders.order_status,
    orders.invalid_reason,
    orders.currency,
    orders.reporting_currency,
    orders.sales_channel,
    orders.acquisition_channel,
    orders.campaign,
    orders.device,
    orders.country_code,
    orders.discount_code,
    cast(numbered.order_number as integer) as order_number,
    cast(numbered.purchase_number as integer) as purchase_number,
    cast(purchases.days_since_previous_purchase as integer) as days_since_previous_purchase,
    orders.gross_sales,
    orders.discount_amount,
    orders.refund_amount,
    orders.net_sales,
    orders.net_sales_order_currency,
    orders.payment_amount,
    orders.shipping_amount,
    orders.tax_amount,
    orders.tip_amount,
    margins.contribution_margin,
    orders.sales_with_known_cost,
    orders.is_valid,
    orders.has_discount,
    orders.order_date,
    orders.ordered_at
from orders
inner join {{ ref("int_orders__margins") }} as margins on orders.order_id = margins.order_id
left join numbered on orders.order_id = numbered.order_id
left join
    purchases
    on numbered.customer_id = purchases.customer_id
    and numbered.purchase_number = purchases.purchase_number
