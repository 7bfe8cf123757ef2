-- The time of an invoice is that of its earliest line.
with

    lines as (select * from {{ ref("base_online_retail__lines") }}),

    countries as (select * from {{ ref("online_retail_countries") }}),

    orders as (

        select
            invoice_no,
            min(customer_id) as customer_id,
            min(country) as country,
            min(invoiced_at) as ordered_at,
            min(_file) as _file,
            min(_row) as _row
        from lines
        where not is_refund
        group by invoice_no

    )

select
    'online_retail' as source_name,
    orders.invoice_no as order_id,
    orders.customer_id,
    cast(null as string) as customer_email_hash,
    'completed' as order_status,
    'GBP' as currency,
    'web' as sales_channel,
    cast(null as string) as acquisition_channel,
    cast(null as string) as campaign,
    cast(null as string) as device,
    countries.country_code,
    cast(null as string) as discount_code,
    cast(null as decimal(18, 6)) as merchandise_amount,
    cast(null as decimal(18, 6)) as discount_amount,
    cast(null as decimal(18, 6)) as shipping_amount,
    cast(null as decimal(18, 6)) as tax_amount,
    cast(null as decimal(18, 6)) as tip_amount,
    orders.ordered_at,
    cast(null as timestamp) as updated_at,
    orders._file,
    orders._row
from orders
left join countries on orders.country = countries.country
