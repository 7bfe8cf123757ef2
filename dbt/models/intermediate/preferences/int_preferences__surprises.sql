-- Purchases far outside a customer's profile.
-- 1. The customer has a usual category, never bought any of this purchase before, and has not said
-- that it is what interests him.
-- 2. Each of its categories is rare in the purchases of customers with the same usual category at
-- the time: in those before the month, so that no question comes or goes as shares move, and since
-- the month in which the shop first sold the category, for what is new to the shop is new to all.
with

    rules as ({{ question_rules() }}),

    habits as (select * from {{ ref("int_preferences__habits") }}),

    acts as (select * from {{ ref("int_preferences__acts") }} where attribute = 'interest'),

    interests as (

        select
            customer_id,
            lower(value) as value,
            answered_date,
            coalesce(next_answered_date, date '9999-12-31') as until_date
        from {{ ref("int_preferences__stated") }}
        where attribute = 'interest'

    ),

    first_sold as (

        select value as category, {{ month_start("min(done_date)") }} as month
        from acts
        group by value

    ),

    bought as (

        select
            habits.*,
            {{ month_start("habits.purchase_date") }} as month,
            acts.value as category,
            acts.order_id,
            max(acts.times_so_far) over purchase as most_times_so_far,
            count(*) filter (where lower(acts.value) = interests.value) over purchase
            as stated_categories,
            count(*) over purchase as categories
        from habits
        inner join
            acts on habits.customer_id = acts.customer_id and habits.act_number = acts.act_number
        left join
            interests
            on habits.customer_id = interests.customer_id
            and habits.purchase_date >= interests.answered_date
            and habits.purchase_date < interests.until_date
        window purchase as (partition by habits.customer_id, habits.act_number)

    ),

    purchases_by_month as (

        select usual_category, {{ month_start("purchase_date") }} as month, count(*) as purchases
        from habits
        group by usual_category, {{ month_start("purchase_date") }}

    ),

    categories_by_month as (

        select usual_category, category, month, count(*) as purchases
        from bought
        group by usual_category, category, month

    ),

    new_to_the_customer as (

        select * from bought where most_times_so_far = 1 and stated_categories = 0

    ),

    asked_for as (

        select distinct
            own.usual_category, own.category, own.month, first_sold.month as first_sold_month
        from new_to_the_customer as own
        inner join first_sold on own.category = first_sold.category

    ),

    shop as (

        select
            asked_for.usual_category,
            asked_for.category,
            asked_for.month,
            sum(purchases_by_month.purchases) as purchases,
            sum(coalesce(categories_by_month.purchases, 0)) as purchases_of_category
        from asked_for
        inner join
            purchases_by_month
            on asked_for.usual_category = purchases_by_month.usual_category
            and asked_for.first_sold_month <= purchases_by_month.month
            and asked_for.month > purchases_by_month.month
        left join
            categories_by_month
            on asked_for.usual_category = categories_by_month.usual_category
            and asked_for.category = categories_by_month.category
            and purchases_by_month.month = categories_by_month.month
        group by asked_for.usual_category, asked_for.category, asked_for.month

    ),

    rare as (

        select
            own.*,
            shop.purchases as shop_purchases,
            shop.purchases_of_category as shop_purchases_of_category,
            count(*) over purchase as rare_categories,
            row_number() over (
                partition by own.customer_id, own.act_number
                order by {{ share("shop.purchases_of_category", "shop.purchases") }}, own.category
            ) as position
        from new_to_the_customer as own
        cross join rules
        inner join
            shop
            on own.usual_category = shop.usual_category
            and own.category = shop.category
            and own.month = shop.month
        where
            shop.purchases >= rules.shop_purchases
            and 100 * shop.purchases_of_category <= rules.rare_percent * shop.purchases
        window purchase as (partition by own.customer_id, own.act_number)

    )

select
    customer_id,
    act_number,
    usual_category,
    category,
    order_id,
    usual_purchases,
    earlier_purchases,
    cast(shop_purchases as bigint) as shop_purchases,
    cast(shop_purchases_of_category as bigint) as shop_purchases_of_category,
    purchase_date
from rare
where position = 1 and rare_categories = categories
