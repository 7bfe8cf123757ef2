-- What counts as sales: every valid order at its date, less its refunds known by as_of, and every
-- refund that belongs to no order at its own date. Every sum of sales by customer, cohort or day
-- is a sum over these rows.
with

    orders as (select * from {{ ref("int_orders__valued") }}),

    numbered as (select * from {{ ref("int_orders__numbered") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    refunds as (select * from {{ ref("int_refunds__matched") }})

select
    'order' as entry_type,
    orders.order_id as entry_id,
    orders.source_name,
    orders.customer_id,
    numbered.order_number,
    numbered.purchase_number,
    orders.sales_channel,
    orders.currency,
    orders.net_sales,
    orders.net_sales_order_currency,
    margins.contribution_margin,
    orders.order_date as entry_date
from orders
inner join {{ ref("int_orders__margins") }} as margins on orders.order_id = margins.order_id
left join numbered on orders.order_id = numbered.order_id
where orders.is_valid
union all
select
    'refund' as entry_type,
    refunds.refund_id as entry_id,
    refunds.source_name,
    accounts.customer_id,
    cast(null as bigint) as order_number,
    cast(null as bigint) as purchase_number,
    'unknown' as sales_channel,
    refunds.currency,
    - refunds.amount as net_sales,
    - refunds.amount_refund_currency as net_sales_order_currency,
    - refunds.amount as contribution_margin,
    refunds.refund_date as entry_date
from refunds
left join accounts on refunds.account_id = accounts.account_id
where refunds.match_rule = 'none' and refunds.line_type = 'merchandise'
