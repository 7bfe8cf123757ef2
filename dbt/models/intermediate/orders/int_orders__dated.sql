with

    orders as (select * from {{ ref("stg_orders") }}),

    settings as (select * from {{ ref("int_run__settings") }}),

    rates as (select * from {{ ref("int_exchange_rates__periods") }}),

    dated as (

        select
            orders.order_id,
            orders.source_name,
            orders.customer_id as account_id,
            orders.customer_email_hash as email_hash,
            coalesce(orders.order_status, 'paid') as order_status,
            coalesce(orders.currency, settings.reporting_currency) as currency,
            settings.reporting_currency,
            coalesce(orders.sales_channel, 'unknown') as sales_channel,
            orders.acquisition_channel,
            orders.campaign,
            orders.device,
            orders.country_code,
            orders.discount_code,
            orders.merchandise_amount,
            orders.discount_amount,
            orders.shipping_amount,
            orders.tax_amount,
            orders.tip_amount,
            {{ shop_date("orders.ordered_at", "settings.time_zone") }} as order_date,
            orders.ordered_at,
            case
                when
                    {{ shop_date(add_seconds("orders.ordered_at", -1), "settings.time_zone") }}
                    < {{ shop_date("orders.ordered_at", "settings.time_zone") }}
                then {{ add_seconds("orders.ordered_at", 86399) }}
                else orders.ordered_at
            end as ordered_by_at,
            settings.as_of_date
        from orders
        cross join settings

    )

select
    dated.order_id,
    dated.source_name,
    dated.account_id,
    dated.email_hash,
    dated.order_status,
    dated.currency,
    dated.reporting_currency,
    dated.sales_channel,
    dated.acquisition_channel,
    dated.campaign,
    dated.device,
    dated.country_code,
    dated.discount_code,
    dated.merchandise_amount,
    dated.discount_amount,
    dated.shipping_amount,
    dated.tax_amount,
    dated.tip_amount,
    case when dated.currency = dated.reporting_currency then 1 else rates.rate end as exchange_rate,
    dated.order_date,
    dated.ordered_at,
    dated.ordered_by_at
from dated
left join
    rates
    on dated.currency = rates.currency
    and dated.order_date between rates.valid_from and rates.valid_to
where dated.order_date <= dated.as_of_date
