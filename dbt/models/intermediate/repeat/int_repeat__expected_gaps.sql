-- The time between purchases to expect of a buyer: the median of the own gaps from three on; else
-- that of all gaps after purchases of the same number, or else of any, where there are thirty. As
-- in fct_purchase_gaps, gaps of others count whose purchase had follow_up_days to be followed.
-- Purchases of one day, where they count apart, are no gap.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    purchases as (select * from {{ ref("int_purchases__occasions") }}),

    followed as (

        select purchases.purchase_number, purchases.days_to_next_purchase
        from purchases
        cross join settings
        where
            purchases.days_to_next_purchase > 0
            and {{ add_days("purchases.purchase_date", "settings.follow_up_days") }}
            <= settings.as_of_date

    ),

    by_number as (

        select purchase_number, median(days_to_next_purchase) as median_days
        from followed
        group by purchase_number
        having count(*) >= 30

    ),

    by_shop as (

        select case when count(*) >= 30 then median(days_to_next_purchase) end as median_days
        from followed

    ),

    customers as (

        select
            customer_id,
            max(purchase_number) as purchase_number,
            max(purchase_date) as last_purchase_date,
            case
                when count(*) filter (where days_to_next_purchase > 0) >= 3
                then median(days_to_next_purchase) filter (where days_to_next_purchase > 0)
            end as median_days
        from purchases
        group by customer_id

    ),

    expected as (

        select
            customers.customer_id,
            customers.last_purchase_date,
            cast(
                coalesce(
                    customers.median_days, by_number.median_days, by_shop.median_days
                ) as double
            ) as expected_gap_days,
            case
                when customers.median_days is not null
                then 'own'
                when by_number.median_days is not null
                then 'purchase_number'
                when by_shop.median_days is not null
                then 'shop'
            end as gap_source
        from customers
        cross join by_shop
        left join by_number on customers.purchase_number = by_number.purchase_number

    )

select
    customer_id,
    expected_gap_days,
    gap_source,
    {{ add_days("last_purchase_date", "ceil(expected_gap_days)") }} as next_purchase_due_date
from expected
