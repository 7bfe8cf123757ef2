select
    'demo' as source_name,
    order_no as order_id,
    customer_number as customer_id,
    contact_email_hash as customer_email_hash,
    case
        state
        when 'in_progress'
        then 'processing'
        when 'complete'
        then 'completed'
        when 'canceled'
        then 'cancelled'
        when 'awaiting_payment'
        then 'unpaid'
        when 'fraud_confirmed'
        then 'fraud'
        else state
    end as order_status,
    currency,
    shop_channel as sales_channel,
    utm_source as acquisition_channel,
    utm_campaign as campaign,
    device,
    ship_country as country_code,
    coupon as discount_code,
    goods_total as merchandise_amount,
    coupon_amount as discount_amount,
    shipping as shipping_amount,
    tax as tax_amount,
    tip as tip_amount,
    placed_at as ordered_at,
    changed_at as updated_at,
    _file,
    _row
from {{ source("demo", "orders") }}
