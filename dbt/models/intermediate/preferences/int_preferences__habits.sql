-- The category that a customer usually bought before a purchase: in so many of the earlier ones, of
-- which there are enough over a long enough time (seed question_rules).
-- A category bought for the j-th time is usual up to the purchase before which j is too small a
-- share, or to that at which it is bought again.
with

    rules as ({{ question_rules() }}),

    acts as (select * from {{ ref("int_preferences__acts") }} where attribute = 'interest'),

    purchases as (

        select
            customer_id,
            act_number,
            min(done_date) as purchase_date,
            lag(min(done_date)) over (
                partition by customer_id order by act_number
            ) as previous_purchase_date,
            min(min(done_date)) over (partition by customer_id) as first_purchase_date,
            count(*) over (partition by customer_id) as purchases
        from acts
        group by customer_id, act_number

    ),

    totals as (select customer_id, min(purchases) as purchases from purchases group by customer_id),

    spans as (

        select
            acts.customer_id,
            acts.value,
            acts.act_number as last_act_number,
            acts.times_so_far,
            least(
                cast(
                    {{ integer_divide("100 * acts.times_so_far", "rules.usual_percent") }} as bigint
                )
                + 1,
                coalesce(
                    lead(acts.act_number) over (
                        partition by acts.customer_id, acts.value order by acts.act_number
                    ),
                    totals.purchases
                )
            ) as until_number,
            greatest(acts.act_number, rules.profile_purchases) + 1 as from_number
        from acts
        cross join rules
        inner join totals on acts.customer_id = totals.customer_id

    ),

    usual as (

        select
            customer_id,
            value,
            last_act_number,
            times_so_far,
            {{ numbers_between("from_number", "until_number") }} as act_number
        from spans
        where from_number <= until_number

    )

select
    usual.customer_id,
    usual.act_number,
    usual.value as usual_category,
    usual.times_so_far as usual_purchases,
    usual.act_number - 1 as earlier_purchases,
    purchases.purchase_date
from usual
cross join rules
inner join
    purchases
    on usual.customer_id = purchases.customer_id
    and usual.act_number = purchases.act_number
where
    {{ days_between("purchases.first_purchase_date", "purchases.previous_purchase_date") }}
    >= rules.profile_days
qualify
    row_number() over (
        partition by usual.customer_id, usual.act_number
        order by usual.times_so_far desc, usual.last_act_number desc, usual.value desc
    )
    = 1
