-- Of the first three purchases of each customer: what each was like, as known on the day from which
-- the next one is waited for (the landmark).
-- 1. Of the orders of an occasion the worst counts, the latest arrival, the channel of the first.
-- 2. What becomes known after the landmark does not count: it would be a result of the future.
with

    orders as (select * from {{ ref("int_experience__orders") }}),

    occasions as (

        select
            purchases.customer_id,
            purchases.purchase_number,
            purchases.purchase_date,
            purchases.next_purchase_date,
            case
                when count(orders.arrived_date) = count(*)
                then greatest(max(orders.arrived_date), purchases.purchase_date)
            end as arrived_date,
            max(orders.days_late) as days_late,
            count(orders.is_returned) > 0 as tells_refunds,
            min(orders.returned_date) as returned_date,
            count(orders.has_ticket) > 0 as tells_tickets,
            min(orders.ticket_date) as ticket_date,
            min(orders.bad_rating_date) as bad_rating_date,
            min(orders.fair_rating_date) as fair_rating_date,
            min(orders.good_rating_date) as good_rating_date,
            greatest(
                max(orders.bad_experience_date), purchases.purchase_date
            ) as bad_experience_date,
            count(orders.bad_experience_date) as bad_experiences,
            count(orders.recovered_date) as recovered_experiences,
            min_by(orders.sales_channel, orders.order_number) as sales_channel
        from {{ ref("int_purchases__occasions") }} as purchases
        inner join
            orders
            on purchases.customer_id = orders.customer_id
            and purchases.purchase_number = orders.purchase_number
        where purchases.purchase_number <= 3
        group by
            purchases.customer_id,
            purchases.purchase_number,
            purchases.purchase_date,
            purchases.next_purchase_date

    ),

    known as (

        select
            *,
            {{ add_days("arrived_date", 14) }} as known_date,
            case
                when bad_experiences > 0 then {{ add_days("bad_experience_date", 30) }}
            end as recovery_date
        from occasions

    )

select
    customer_id,
    purchase_number,
    case
        when days_late > 0 then 'late' when days_late <= 0 then 'on_time'
    end as late_delivery_experience,
    case
        when days_late > 3 then 'late_over_3_days' when days_late <= 0 then 'on_time'
    end as late_delivery_over_3_days_experience,
    case
        when returned_date <= known_date then 'returned' when tells_refunds then 'kept'
    end as return_experience,
    case
        when ticket_date <= known_date then 'ticket' when tells_tickets then 'no_ticket'
    end as ticket_experience,
    case
        when bad_rating_date <= known_date
        then 'bad'
        when fair_rating_date <= known_date
        then null
        when good_rating_date <= known_date
        then 'good'
    end as rating_experience,
    case
        when bad_experiences = 0
        then null
        when recovered_experiences = bad_experiences
        then 'recovered'
        else 'not_recovered'
    end as recovery_experience,
    nullif(sales_channel, 'unknown') as sales_channel_experience,
    purchase_date,
    arrived_date,
    known_date,
    recovery_date,
    next_purchase_date
from known
