-- The time between purchases to expect of a buyer: the median of the own gaps from three on; else
-- that of all gaps after purchases of the same number, or else of any, where there are thirty. As
-- in fct_purchase_gaps, gaps of others count whose purchase had follow_up_days to be followed.
-- Purchases of one day, where they count apart, are no gap; nor is what ended after the cut-off.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    cut_offs as (select * from {{ ref("int_health__cut_offs") }}),

    purchases as (

        select
            customer_id,
            purchase_number,
            purchase_date,
            coalesce(next_purchase_date, date '9999-12-31') as next_purchase_date
        from {{ ref("int_purchases__occasions") }}

    ),

    gaps as (

        select
            purchases.customer_id,
            purchases.purchase_number,
            purchases.days_to_next_purchase,
            purchases.next_purchase_date,
            greatest(
                purchases.next_purchase_date,
                {{ add_days("purchases.purchase_date", "settings.follow_up_days") }}
            ) as followed_date
        from {{ ref("int_purchases__occasions") }} as purchases
        cross join settings
        where purchases.days_to_next_purchase > 0

    ),

    followed as (

        select cut_offs.cut_off_date, gaps.purchase_number, gaps.days_to_next_purchase
        from gaps
        inner join cut_offs on gaps.followed_date <= cut_offs.cut_off_date

    ),

    by_number as (

        select cut_off_date, purchase_number, median(days_to_next_purchase) as median_days
        from followed
        group by cut_off_date, purchase_number
        having count(*) >= 30

    ),

    by_shop as (

        select cut_off_date, median(days_to_next_purchase) as median_days
        from followed
        group by cut_off_date
        having count(*) >= 30

    ),

    own as (

        select
            cut_offs.cut_off_date,
            gaps.customer_id,
            median(gaps.days_to_next_purchase) as median_days
        from gaps
        inner join cut_offs on gaps.next_purchase_date <= cut_offs.cut_off_date
        group by cut_offs.cut_off_date, gaps.customer_id
        having count(*) >= 3

    ),

    buyers as (

        select
            cut_offs.cut_off_date,
            purchases.customer_id,
            purchases.purchase_number,
            purchases.purchase_date,
            purchases.next_purchase_date
        from purchases
        inner join
            cut_offs
            on purchases.purchase_date <= cut_offs.cut_off_date
            and purchases.next_purchase_date > cut_offs.cut_off_date

    )

select
    buyers.cut_off_date,
    buyers.customer_id,
    buyers.purchase_number,
    buyers.purchase_date as last_purchase_date,
    buyers.next_purchase_date,
    cast(
        coalesce(own.median_days, by_number.median_days, by_shop.median_days) as double
    ) as expected_gap_days,
    case
        when own.median_days is not null
        then 'own'
        when by_number.median_days is not null
        then 'purchase_number'
        when by_shop.median_days is not null
        then 'shop'
    end as gap_source
from buyers
left join own on buyers.cut_off_date = own.cut_off_date and buyers.customer_id = own.customer_id
left join
    by_number
    on buyers.cut_off_date = by_number.cut_off_date
    and buyers.purchase_number = by_number.purchase_number
left join by_shop on buyers.cut_off_date = by_shop.cut_off_date
