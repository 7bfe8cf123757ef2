with

    refunds as (select * from {{ ref("int_refunds__matched") }}),

    orders as (select * from {{ ref("int_orders__valued") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }})

select
    refunds.refund_id,
    refunds.source_name,
    refunds.order_id,
    coalesce(orders.customer_id, accounts.customer_id) as customer_id,
    refunds.product_id,
    refunds.match_rule,
    refunds.line_type,
    refunds.reason,
    refunds.currency,
    refunds.line_number,
    refunds.amount,
    refunds.amount_refund_currency,
    coalesce(orders.is_valid, true) and refunds.line_type = 'merchandise' as is_counted,
    refunds.refund_date,
    refunds.order_date,
    refunds.refunded_at
from refunds
left join orders on refunds.order_id = orders.order_id
left join accounts on refunds.account_id = accounts.account_id
