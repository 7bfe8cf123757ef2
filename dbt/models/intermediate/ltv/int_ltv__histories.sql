-- The latest occasion by a date is the one that was made by then and whose next was not. What was
-- bought after a cut-off is the difference of the two positions.
with

    cut_offs as (select * from {{ ref("int_ltv__cut_offs") }}),

    purchases as (

        select
            customer_id,
            purchase_number,
            days_since_first_purchase,
            first_purchase_date,
            purchase_date,
            coalesce(next_purchase_date, date '9999-12-31') as next_purchase_date
        from {{ ref("int_purchases__occasions") }}

    ),

    known as (

        select
            cut_offs.cut_off_date,
            purchases.customer_id,
            purchases.purchase_number,
            purchases.days_since_first_purchase as recency_days,
            {{ days_between("purchases.first_purchase_date", "cut_offs.cut_off_date") }} as age_days
        from purchases
        inner join
            cut_offs
            on purchases.purchase_date <= cut_offs.cut_off_date
            and purchases.next_purchase_date > cut_offs.cut_off_date

    ),

    afterwards as (

        select cut_offs.cut_off_date, purchases.customer_id, purchases.purchase_number
        from purchases
        inner join
            cut_offs
            on purchases.purchase_date <= cut_offs.graded_until_date
            and purchases.next_purchase_date > cut_offs.graded_until_date
        where purchases.purchase_date > cut_offs.cut_off_date

    )

select
    known.cut_off_date,
    known.purchase_number - 1 as frequency,
    known.recency_days,
    known.age_days,
    coalesce(afterwards.purchase_number - known.purchase_number, 0) as purchases_afterwards,
    count(*) as customers
from known
left join
    afterwards
    on known.customer_id = afterwards.customer_id
    and known.cut_off_date = afterwards.cut_off_date
group by 1, 2, 3, 4, 5
