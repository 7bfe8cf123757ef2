-- A customer counts once for each category of the first occasion, each of the second, each pair.
with

    categories as (

        select distinct numbered.customer_id, numbered.purchase_number, lines.category
        from {{ ref("int_orders__numbered") }} as numbered
        inner join
            {{ ref("int_order_lines__priced") }} as lines on numbered.order_id = lines.order_id
        where
            numbered.purchase_number <= 2
            and lines.line_type = 'merchandise'
            and lines.category is not null

    ),

    transitions as (

        select customer_id
        from categories
        group by customer_id
        having count(distinct purchase_number) = 2

    ),

    totals as (select count(*) as transition_customers from transitions),

    firsts as (

        select categories.customer_id, categories.category
        from categories
        inner join transitions on categories.customer_id = transitions.customer_id
        where categories.purchase_number = 1

    ),

    seconds as (

        select categories.customer_id, categories.category
        from categories
        inner join transitions on categories.customer_id = transitions.customer_id
        where categories.purchase_number = 2

    ),

    first_counts as (select category, count(*) as first_customers from firsts group by category),

    second_counts as (select category, count(*) as second_customers from seconds group by category),

    pair_counts as (

        select
            firsts.category as first_category,
            seconds.category as second_category,
            count(*) as customers
        from firsts
        inner join seconds on firsts.customer_id = seconds.customer_id
        group by firsts.category, seconds.category

    )

select
    first_counts.category as first_category,
    second_counts.category as second_category,
    coalesce(pair_counts.customers, 0) as customers,
    first_counts.first_customers,
    second_counts.second_customers,
    totals.transition_customers
from first_counts
cross join second_counts
cross join totals
left join
    pair_counts
    on first_counts.category = pair_counts.first_category
    and second_counts.category = pair_counts.second_category
where
    pair_counts.customers is not null
    or first_counts.first_customers * second_counts.second_customers >= totals.transition_customers
