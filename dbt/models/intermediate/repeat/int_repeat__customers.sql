-- What is known of a buyer on the day of the first purchase, as texts to split rates by.
-- first_category: that of most sales before refunds in the first occasion.
with

    customers as (select * from {{ ref("int_customers__acquired") }}),

    sale_days as (

        select distinct days.calendar_date
        from {{ ref("int_calendar__days") }} as days
        inner join
            {{ ref("sale_windows") }} as sale_windows
            on days.calendar_date between sale_windows.starts_on and sale_windows.ends_on

    ),

    -- A shop that has never delivered a discount may have given some.
    discounts as (

        select
            count(*) filter (where orders.has_discount) + (select count(*) from sale_days)
            > 0 as are_known
        from {{ ref("int_orders__valued") }} as orders

    ),

    first_orders as (

        select
            numbered.customer_id,
            coalesce(orders.device, sessions.device) as device,
            case
                when discounts.are_known
                then orders.has_discount or sale_days.calendar_date is not null
            end as is_discount_acquired
        from {{ ref("int_orders__numbered") }} as numbered
        inner join {{ ref("int_orders__valued") }} as orders on numbered.order_id = orders.order_id
        cross join discounts
        left join sale_days on orders.order_date = sale_days.calendar_date
        left join
            {{ ref("int_sessions__ordered") }} as ordered on numbered.order_id = ordered.order_id
        left join
            {{ ref("int_events__sessions") }} as sessions
            on ordered.session_id = sessions.session_id
        where numbered.order_number = 1

    ),

    first_categories as (

        select
            numbered.customer_id,
            lines.category,
            sum(lines.gross_sales - lines.discount_amount) as sales
        from {{ ref("int_orders__numbered") }} as numbered
        inner join
            {{ ref("int_order_lines__priced") }} as lines on numbered.order_id = lines.order_id
        where
            numbered.purchase_number = 1
            and lines.line_type = 'merchandise'
            and lines.category is not null
        group by numbered.customer_id, lines.category

    ),

    categories as (

        select
            customer_id,
            count(*) as first_categories,
            max_by(category, (sales, category)) as first_category
        from first_categories
        group by customer_id

    )

select
    customers.customer_id,
    customers.acquisition_channel,
    coalesce(customers.country_code, 'unknown') as country,
    coalesce(categories.first_category, 'unknown') as first_category,
    coalesce(first_orders.device, 'unknown') as device,
    categories.first_categories,
    first_orders.is_discount_acquired,
    first_purchases.days_to_next_purchase as days_to_second_purchase,
    customers.first_purchase_date,
    customers.cohort_month
from customers
inner join
    {{ ref("int_purchases__occasions") }} as first_purchases
    on customers.customer_id = first_purchases.customer_id
    and first_purchases.purchase_number = 1
inner join first_orders on customers.customer_id = first_orders.customer_id
left join categories on customers.customer_id = categories.customer_id
