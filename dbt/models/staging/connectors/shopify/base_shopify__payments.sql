-- 1. A sale and a capture are payments, an authorization is none: its captures are. A capture of
-- what was a sale already is the same money.
-- 2. Money given back stands in refunds.
-- 3. The contract wants payments in the order's currency: of an order that was paid in another one,
-- none is delivered.
-- 4. The order export knows one sum per order.
with

    order_rows as (select * from {{ source("shopify", "orders") }}),

    transaction_rows as (select * from {{ source("shopify", "transactions") }}),

    exported as (select * from {{ ref("base_shopify__exported") }}),

    orders as ({{ shopify_latest("order_rows", "updated_at") }}),

    transactions as ({{ shopify_latest("transaction_rows") }}),

    received as (

        select *
        from transactions
        where
            lower(kind) in ('sale', 'capture')
            and lower(status) = 'success'
            and not coalesce(is_test, false)

    ),

    foreign_orders as (

        select distinct received.order_id
        from received
        inner join orders on received.order_id = orders.id
        where received.currency <> orders.currency

    ),

    united as (

        select
            order_id,
            'export' as payment_id,
            payment_method,
            total - greatest(coalesce(outstanding_balance, 0), 0) as amount,
            paid_at,
            _file,
            _row
        from exported
        where
            is_order
            and financial_status in ('paid', 'partially_paid', 'partially_refunded', 'refunded')
        union all
        select
            received.order_id,
            received.id as payment_id,
            received.gateway as payment_method,
            received.amount,
            coalesce(received.processed_at, received.created_at) as paid_at,
            received._file,
            received._row
        from received
        left join
            received as earlier
            on received.parent_id = earlier.id
            and received.order_id = earlier.order_id
        left join foreign_orders on received.order_id = foreign_orders.order_id
        where earlier.id is null and foreign_orders.order_id is null

    )

select
    'shopify' as source_name,
    order_id,
    payment_id,
    payment_method,
    cast(amount as decimal(18, 6)) as amount,
    cast(null as decimal(18, 6)) as fee_amount,
    paid_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from united
where amount <> 0
