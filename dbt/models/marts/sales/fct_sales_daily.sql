-- Two datings of refunds, side by side: at the date of the order refunded, and at the date of the
-- refund.
with

    orders as (select * from {{ ref("fct_orders") }} where is_valid),

    refunds as (select * from {{ ref("fct_refunds") }} where is_counted),

    by_order_date as (

        select
            order_date as sales_date,
            sales_channel,
            currency,
            count(*) as orders,
            count(distinct customer_id) as customers,
            sum(gross_sales) as gross_sales,
            sum(discount_amount) as discount_amount,
            sum(refund_amount) as refunds_by_order_date,
            sum(shipping_amount) as shipping_amount,
            sum(tax_amount) as tax_amount,
            sum(tip_amount) as tip_amount
        from orders
        group by order_date, sales_channel, currency

    ),

    unmatched_refunds as (

        select
            refund_date as sales_date,
            'unknown' as sales_channel,
            currency,
            sum(amount) as refunds_by_order_date
        from refunds
        where match_rule = 'none'
        group by refund_date, currency

    ),

    by_refund_date as (

        select
            refunds.refund_date as sales_date,
            coalesce(orders.sales_channel, 'unknown') as sales_channel,
            coalesce(orders.currency, refunds.currency) as currency,
            sum(refunds.amount) as refunds_by_refund_date
        from refunds
        left join orders on refunds.order_id = orders.order_id
        group by 1, 2, 3

    ),

    united as (

        select
            sales_date,
            sales_channel,
            currency,
            orders,
            customers,
            gross_sales,
            discount_amount,
            refunds_by_order_date,
            0 as refunds_by_refund_date,
            shipping_amount,
            tax_amount,
            tip_amount
        from by_order_date
        union all
        select
            sales_date,
            sales_channel,
            currency,
            0,
            0,
            0,
            0,
            refunds_by_order_date,
            0,
            null,
            null,
            null
        from unmatched_refunds
        union all
        select
            sales_date,
            sales_channel,
            currency,
            0,
            0,
            0,
            0,
            0,
            refunds_by_refund_date,
            null,
            null,
            null
        from by_refund_date

    )

select
    sales_date,
    sales_channel,
    currency,
    cast(sum(orders) as bigint) as orders,
    cast(sum(customers) as bigint) as customers,
    {{ money("sum(gross_sales)") }} as gross_sales,
    {{ money("sum(discount_amount)") }} as discount_amount,
    {{ money("sum(refunds_by_order_date)") }} as refunds_by_order_date,
    {{ money("sum(refunds_by_refund_date)") }} as refunds_by_refund_date,
    {{ money("sum(gross_sales) - sum(discount_amount) - sum(refunds_by_order_date)") }}
    as net_sales_by_order_date,
    {{ money("sum(gross_sales) - sum(discount_amount) - sum(refunds_by_refund_date)") }}
    as net_sales_by_refund_date,
    {{ money("sum(shipping_amount)") }} as shipping_amount,
    {{ money("sum(tax_amount)") }} as tax_amount,
    {{ money("sum(tip_amount)") }} as tip_amount
from united
group by sales_date, sales_channel, currency
