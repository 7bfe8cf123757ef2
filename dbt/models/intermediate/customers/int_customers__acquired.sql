-- One row per buyer. The channel is the one delivered with the account, if that was opened by the
-- day of the first purchase, else that of the first valid order: what is learned of a buyer because
-- he came back must not say how he came. An account without a date counts as opened by then; the
-- date that stands for it keeps the join one of columns, which DuckDB hashes.
with

    purchases as (select * from {{ ref("int_purchases__occasions") }}),

    persons as (

        select
            persons.*,
            coalesce(
                {{ shop_date("persons.created_at", "settings.time_zone") }}, date '0001-01-01'
            ) as known_from_date
        from {{ ref("int_identity__customers") }} as persons
        cross join {{ ref("int_run__settings") }} as settings

    ),

    first_orders as (

        select orders.customer_id, orders.acquisition_channel, orders.campaign, orders.country_code
        from {{ ref("int_orders__valued") }} as orders
        inner join
            {{ ref("int_orders__numbered") }} as numbered on orders.order_id = numbered.order_id
        where numbered.order_number = 1

    ),

    first_purchases as (

        select
            customer_id,
            min(purchase_date) as first_purchase_date,
            max(purchase_date) as last_purchase_date,
            max(purchase_number) as purchase_count,
            cast(sum(orders) as bigint) as order_count
        from purchases
        group by customer_id

    )

select
    first_purchases.customer_id,
    coalesce(
        persons.acquisition_channel, first_orders.acquisition_channel, 'unknown'
    ) as acquisition_channel,
    coalesce(persons.acquisition_campaign, first_orders.campaign) as acquisition_campaign,
    coalesce(persons.country_code, first_orders.country_code) as country_code,
    first_purchases.purchase_count,
    first_purchases.order_count,
    first_purchases.first_purchase_date,
    first_purchases.last_purchase_date,
    {{ month_start("first_purchases.first_purchase_date") }} as cohort_month
from first_purchases
inner join first_orders on first_purchases.customer_id = first_orders.customer_id
left join
    persons
    on first_purchases.customer_id = persons.customer_id
    and persons.known_from_date <= first_purchases.first_purchase_date
