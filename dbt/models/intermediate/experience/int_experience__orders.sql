-- What was known by as_of of how each valid order went.
-- 1. What the source of an order tells of none of its orders is empty and not false.
-- 2. An order has arrived with the last of its parcels that had left by as_of. Without one it has
-- on its own date, and so has every order of a source that tells of no arrival.
-- 3. An experience is recovered where the customer gave a good signal 1 to 30 days after the first
-- bad one about the order; empty while that may still come.
-- 4. Dates on which a rating of each kind was first given tell the lowest rating of every day.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    orders as (select * from {{ ref("int_orders__valued") }}),

    numbered as (select * from {{ ref("int_orders__numbered") }}),

    signals as (select * from {{ ref("int_experience__signals") }}),

    shipments as (

        select
            shipments.order_id,
            shipments.promised_date,
            case
                when
                    {{ shop_date("shipments.delivered_at", "settings.time_zone") }}
                    <= settings.as_of_date
                then {{ shop_date("shipments.delivered_at", "settings.time_zone") }}
            end as delivered_date
        from {{ ref("stg_shipments") }} as shipments
        cross join settings
        where
            shipments.shipped_at is null
            or {{ shop_date("shipments.shipped_at", "settings.time_zone") }} <= settings.as_of_date

    ),

    parcels as (

        select
            order_id,
            max(promised_date) as promised_date,
            case when count(delivered_date) = count(*) then max(delivered_date) end as arrived_date,
            max({{ days_between("promised_date", "delivered_date") }}) as days_late,
            count(delivered_date) > 0 as has_arrival,
            count(promised_date) + count(delivered_date) > 0 as is_followed
        from shipments
        group by order_id

    ),

    refunds as (

        select order_id, min(refund_date) filter (where line_type = 'merchandise') as returned_date
        from {{ ref("int_refunds__matched") }}
        where order_id is not null
        group by order_id

    ),

    tickets as (

        select
            tickets.order_id,
            min({{ shop_date("tickets.opened_at", "settings.time_zone") }}) as ticket_date
        from {{ ref("stg_support_tickets") }} as tickets
        cross join settings
        where
            tickets.order_id is not null
            and {{ shop_date("tickets.opened_at", "settings.time_zone") }} <= settings.as_of_date
        group by tickets.order_id

    ),

    rated as (

        select
            reviews.order_id,
            reviews.rating,
            {{ shop_date("reviews.reviewed_at", "settings.time_zone") }} as rated_date
        from {{ ref("stg_reviews") }} as reviews
        cross join settings
        where
            reviews.rating is not null
            and {{ shop_date("reviews.reviewed_at", "settings.time_zone") }} <= settings.as_of_date

    ),

    ratings as (

        select
            order_id,
            min(rating) as rating,
            min(rated_date) filter (where rating <= 2) as bad_rating_date,
            min(rated_date) filter (where rating > 2 and rating < 4) as fair_rating_date,
            min(rated_date) filter (where rating >= 4) as good_rating_date
        from rated
        group by order_id

    ),

    answers as (

        select distinct answers.order_id
        from {{ ref("stg_survey_responses") }} as answers
        cross join settings
        where
            answers.order_id is not null
            and answers.survey_type in ('promoter_score', 'satisfaction')
            and answers.score is not null
            and {{ shop_date("answers.responded_at", "settings.time_zone") }} <= settings.as_of_date

    ),

    bad_signals as (

        select order_id, min(known_date) as bad_experience_date
        from signals
        where not is_good and order_id is not null
        group by order_id

    ),

    steps as (

        select cast(null as string) as order_id, customer_id, known_date, known_date as good_date
        from signals
        where is_good
        union all
        select
            bad_signals.order_id,
            orders.customer_id,
            bad_signals.bad_experience_date,
            cast(null as date)
        from bad_signals
        inner join orders on bad_signals.order_id = orders.order_id
        where orders.customer_id is not null

    ),

    followed as (

        select
            order_id,
            min(good_date) over (
                partition by customer_id
                order by
                    known_date range between interval 1 day following and interval 30 day following
            ) as recovered_date
        from steps

    ),

    recoveries as (select order_id, recovered_date from followed where order_id is not null),

    joined as (

        select
            orders.*,
            numbered.order_number,
            numbered.purchase_number,
            parcels.order_id is not null as has_parcels,
            parcels.has_arrival,
            parcels.promised_date,
            parcels.arrived_date,
            parcels.days_late,
            refunds.order_id is not null as has_refund,
            refunds.returned_date,
            tickets.ticket_date,
            ratings.rating,
            ratings.bad_rating_date,
            ratings.fair_rating_date,
            ratings.good_rating_date,
            parcels.is_followed
            or coalesce(refunds.order_id, tickets.order_id, ratings.order_id, answers.order_id)
            is not null as has_experience,
            bad_signals.bad_experience_date,
            recoveries.order_id is not null as can_recover,
            recoveries.recovered_date
        from orders
        left join numbered on orders.order_id = numbered.order_id
        left join parcels on orders.order_id = parcels.order_id
        left join refunds on orders.order_id = refunds.order_id
        left join tickets on orders.order_id = tickets.order_id
        left join ratings on orders.order_id = ratings.order_id
        left join answers on orders.order_id = answers.order_id
        left join bad_signals on orders.order_id = bad_signals.order_id
        left join recoveries on orders.order_id = recoveries.order_id

    ),

    told as (

        select
            source_name,
            count(case when has_arrival then 1 end) > 0 as tells_arrivals,
            count(case when has_refund then 1 end) > 0 as tells_refunds,
            count(ticket_date) > 0 as tells_tickets,
            count(case when has_experience then 1 end) > 0 as tells_experiences
        from joined
        group by source_name

    )

select
    joined.order_id,
    joined.customer_id,
    joined.sales_channel,
    joined.order_number,
    joined.purchase_number,
    joined.days_late,
    joined.rating,
    told.tells_experiences,
    joined.days_late > 0 as is_late,
    case when told.tells_refunds then joined.returned_date is not null end as is_returned,
    case when told.tells_tickets then joined.ticket_date is not null end as has_ticket,
    case
        when joined.bad_experience_date is not null
        then true
        when told.tells_experiences and joined.customer_id is not null
        then false
    end as is_bad_experience,
    case
        when joined.recovered_date is not null
        then true
        when
            joined.can_recover
            and {{ add_days("joined.bad_experience_date", 30) }} <= settings.as_of_date
        then false
    end as is_recovered,
    joined.order_date,
    joined.promised_date,
    joined.arrived_date as delivered_date,
    case
        when joined.has_parcels and told.tells_arrivals
        then joined.arrived_date
        else joined.order_date
    end as arrived_date,
    joined.returned_date,
    joined.ticket_date,
    joined.bad_rating_date,
    joined.fair_rating_date,
    joined.good_rating_date,
    joined.bad_experience_date,
    joined.recovered_date
from joined
inner join told on joined.source_name = told.source_name
cross join settings
where joined.is_valid
