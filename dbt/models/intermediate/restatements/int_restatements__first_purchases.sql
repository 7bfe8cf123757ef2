-- First purchases per month, up to the published version's as_of, in both versions.
with

    publication as (select * from {{ ref("int_restatements__publication") }}),

    persons as (select * from {{ ref("int_restatements__persons") }}),

    first_purchases as (

        select
            orders.customer_id,
            {{ month_start("orders.order_date") }} as month,
            1 as old_customers,
            0 as new_customers
        from {{ source("previous", "fct_orders") }} as orders
        cross join publication
        where orders.order_number = 1
        union all
        select
            purchases.customer_id,
            {{ month_start("purchases.purchase_date") }} as month,
            0 as old_customers,
            1 as new_customers
        from {{ ref("int_purchases__occasions") }} as purchases
        cross join publication
        where purchases.purchase_number = 1 and purchases.purchase_date <= publication.as_of_date

    )

select
    first_purchases.month,
    sum(first_purchases.old_customers) as old_customers,
    sum(first_purchases.new_customers) as new_customers,
    coalesce(
        sum(first_purchases.new_customers - first_purchases.old_customers) filter (
            where persons.customer_id is not null
        ),
        0
    )
    <> 0 as is_by_other_persons
from first_purchases
left join persons on first_purchases.customer_id = persons.customer_id
group by first_purchases.month
