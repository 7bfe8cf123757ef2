-- 1. Amounts of an order are the sums of its lines, less the refunds of its merchandise.
-- 2. Refunds of the whole order stand on the order and on no line.
-- 3. Validity is decided here, once, by the macro invalid_reason.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    orders as (select * from {{ ref("int_orders__dated") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    currencies as (select * from {{ ref("currencies") }}),

    lines as (

        select
            order_id,
            sum(gross_sales) as gross_sales,
            sum(gross_sales_order_currency) as gross_sales_order_currency,
            sum(discount_amount) as discount_amount,
            sum(discount_order_currency) as discount_order_currency,
            sum(cost) filter (where line_type = 'merchandise') as cost,
            sum(gross_sales - discount_amount) filter (
                where cost is not null
            ) as sales_with_known_cost
        from {{ ref("int_order_lines__priced") }}
        group by order_id

    ),

    refunds as (

        select
            order_id,
            sum(amount) as refund_amount,
            sum(amount_refund_currency) as refund_order_currency
        from {{ ref("int_refunds__matched") }}
        where order_id is not null and line_type = 'merchandise'
        group by order_id

    ),

    payments as (

        select
            payments.order_id,
            sum({{ round_money("payments.amount") }}) as payment_order_currency,
            sum(payments.fee_amount) as payment_cost
        from {{ ref("stg_payments") }} as payments
        inner join orders on payments.order_id = orders.order_id
        inner join currencies on orders.currency = currencies.currency
        cross join settings
        where
            payments.paid_at is null
            or {{ shop_date("payments.paid_at", "settings.time_zone") }} <= settings.as_of_date
        group by payments.order_id

    ),

    shipments as (

        select shipments.order_id, sum(shipments.cost_amount) as shipping_cost
        from {{ ref("stg_shipments") }} as shipments
        cross join settings
        where
            shipments.shipped_at is null
            or {{ shop_date("shipments.shipped_at", "settings.time_zone") }} <= settings.as_of_date
        group by shipments.order_id

    ),

    summed as (

        select
            orders.*,
            coalesce(accounts.customer_id, emails.customer_id) as customer_id,
            {{ money("coalesce(lines.gross_sales, 0)") }} as gross_sales,
            {{ money("coalesce(lines.gross_sales_order_currency, 0)") }}
            as gross_sales_order_currency,
            {{ money("coalesce(lines.discount_amount, 0)") }} as discount_amount_reporting,
            {{ money("coalesce(lines.discount_order_currency, 0)") }} as discount_order_currency,
            {{ money("coalesce(refunds.refund_amount, 0)") }} as refund_amount,
            {{ money("coalesce(refunds.refund_order_currency, 0)") }} as refund_order_currency,
            {{ money("coalesce(lines.cost, 0)") }} as cost_of_goods,
            {{ money("coalesce(lines.sales_with_known_cost, 0)") }} as sales_with_known_cost,
            {{ money("payments.payment_order_currency") }} as payment_order_currency,
            {{ round_money("payments.payment_order_currency * orders.exchange_rate", "reporting") }}
            as payment_amount,
            {{ round_money("orders.shipping_amount * orders.exchange_rate", "reporting") }}
            as shipping_reporting,
            {{ round_money("orders.tax_amount * orders.exchange_rate", "reporting") }}
            as tax_reporting,
            {{ round_money("orders.tip_amount * orders.exchange_rate", "reporting") }}
            as tip_reporting,
            {{
                round_money(
                    "(coalesce(payments.payment_cost, 0) + coalesce(shipments.shipping_cost, 0)) * orders.exchange_rate",
                    "reporting",
                )
            }}
            as handling_cost,
            settings.count_zero_value_orders
        from orders
        inner join currencies as reporting on orders.reporting_currency = reporting.currency
        cross join settings
        left join accounts on orders.account_id = accounts.account_id
        left join
            emails
            on case when accounts.customer_id is null then orders.email_hash end = emails.email_hash
        left join lines on orders.order_id = lines.order_id
        left join refunds on orders.order_id = refunds.order_id
        left join payments on orders.order_id = payments.order_id
        left join shipments on orders.order_id = shipments.order_id

    ),

    judged as (

        select
            *,
            {{ invalid_reason("order_status", "gross_sales", "count_zero_value_orders") }}
            as invalid_reason
        from summed

    )

select
    order_id,
    source_name,
    customer_id,
    order_status,
    invalid_reason,
    currency,
    reporting_currency,
    sales_channel,
    acquisition_channel,
    campaign,
    device,
    country_code,
    discount_code,
    gross_sales,
    discount_amount_reporting as discount_amount,
    refund_amount,
    {{ money("gross_sales - discount_amount_reporting - refund_amount") }} as net_sales,
    {{ money("gross_sales_order_currency - discount_order_currency - refund_order_currency") }}
    as net_sales_order_currency,
    payment_amount,
    payment_order_currency,
    shipping_reporting as shipping_amount,
    tax_reporting as tax_amount,
    tip_reporting as tip_amount,
    sales_with_known_cost,
    {{
        money(
            "gross_sales - discount_amount_reporting - refund_amount - cost_of_goods - handling_cost"
        )
    }}
    as margin_before_rewards,
    exchange_rate,
    invalid_reason is null as is_valid,
    discount_amount_reporting > 0 or discount_code is not null as has_discount,
    order_date,
    ordered_at,
    ordered_by_at
from judged
