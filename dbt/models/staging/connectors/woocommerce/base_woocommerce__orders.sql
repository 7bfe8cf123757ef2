-- An order that is refunded was a valid order; one that waits for a payment by hand (on-hold)
-- counts, as in WooCommerce's own reports.
select
    'woocommerce' as source_name,
    order_id,
    nullif(customer_id, '0') as customer_id,
    billing_email_hash as customer_email_hash,
    case
        status
        when 'pending'
        then 'unpaid'
        when 'checkout-draft'
        then 'unpaid'
        when 'failed'
        then 'unpaid'
        when 'on-hold'
        then 'pending'
        when 'refunded'
        then 'completed'
        when 'trash'
        then 'voided'
        else status
    end as order_status,
    order_currency as currency,
    'web' as sales_channel,
    cast(null as string) as acquisition_channel,
    cast(null as string) as campaign,
    cast(null as string) as device,
    coalesce(shipping_country, billing_country) as country_code,
    coupon_code as discount_code,
    cast(null as decimal(18, 6)) as merchandise_amount,
    cast(null as decimal(18, 6)) as discount_amount,
    shipping_total as shipping_amount,
    tax_total as tax_amount,
    cast(null as decimal(18, 6)) as tip_amount,
    order_date as ordered_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("woocommerce", "order_items") }}
qualify row_number() over (partition by order_id order by _file desc, _row desc) = 1
