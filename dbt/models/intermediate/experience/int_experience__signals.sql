-- What tells of a good or bad experience, at the day on which it became known.
-- 1. A delivery is bad from the fourth day after the promise on, whether it came later or not at
-- all, and whether or not the order was paid for: a replacement counts, a cancelled one does not.
-- 2. What is only known to be somebody's by its order is not known before the order.
-- 3. What was said without a date is never known.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    orders as (select * from {{ ref("int_orders__valued") }}),

    shipments as (

        select
            shipments.order_id,
            shipments.shipment_id,
            shipments.promised_date,
            {{ shop_date("shipments.delivered_at", "settings.time_zone") }} as delivered_date
        from {{ ref("stg_shipments") }} as shipments
        cross join settings

    ),

    said as (

        select
            'rating' as signal_type,
            review_id || ':' || order_id as signal_id,
            order_id,
            customer_id as account_id,
            cast(null as string) as email_hash,
            rating as score,
            rating <= 2 as is_bad,
            rating >= 4 as is_good,
            reviewed_at as known_at
        from {{ ref("stg_reviews") }}
        union all
        select
            'promoter_score',
            response_id,
            order_id,
            customer_id,
            customer_email_hash,
            score,
            score <= 6,
            score >= 9,
            responded_at
        from {{ ref("stg_survey_responses") }}
        where survey_type = 'promoter_score'
        union all
        select
            'satisfaction',
            response_id,
            order_id,
            customer_id,
            customer_email_hash,
            score,
            score <= 2,
            score >= 4,
            responded_at
        from {{ ref("stg_survey_responses") }}
        where survey_type = 'satisfaction'
        union all
        select
            'support_satisfaction',
            ticket_id,
            order_id,
            customer_id,
            customer_email_hash,
            satisfaction_score,
            satisfaction_score <= 2,
            satisfaction_score >= 4,
            coalesce(resolved_at, opened_at)
        from {{ ref("stg_support_tickets") }}

    ),

    signals as (

        select
            said.signal_type,
            said.signal_id,
            said.order_id,
            coalesce(accounts.customer_id, emails.customer_id, orders.customer_id) as customer_id,
            said.score,
            said.is_good,
            case
                when accounts.customer_id is null and emails.customer_id is null
                then
                    greatest(
                        {{ shop_date("said.known_at", "settings.time_zone") }}, orders.order_date
                    )
                else {{ shop_date("said.known_at", "settings.time_zone") }}
            end as known_date
        from said
        cross join settings
        left join accounts on said.account_id = accounts.account_id
        left join emails on said.email_hash = emails.email_hash
        left join orders on said.order_id = orders.order_id
        where (said.is_bad or said.is_good) and said.known_at is not null
        union all
        select
            'late_delivery',
            shipments.shipment_id,
            shipments.order_id,
            orders.customer_id,
            cast(null as decimal(9, 2)),
            false,
            greatest({{ add_days("shipments.promised_date", 4) }}, orders.order_date)
        from shipments
        inner join orders on shipments.order_id = orders.order_id
        where
            (orders.is_valid or orders.invalid_reason = 'no merchandise value')
            and shipments.promised_date is not null
            and (
                shipments.delivered_date is null
                or shipments.delivered_date >= {{ add_days("shipments.promised_date", 4) }}
            )
        union all
        select
            'defect',
            refunds.source_name || ':' || refunds.refund_id,
            refunds.order_id,
            coalesce(orders.customer_id, accounts.customer_id),
            cast(null as decimal(9, 2)),
            false,
            greatest(refunds.refund_date, orders.order_date)
        from {{ ref("int_refunds__matched") }} as refunds
        inner join
            {{ ref("refund_reasons") }} as reasons
            on lower(refunds.reason) = reasons.reason
            and reasons.is_defect
        left join orders on refunds.order_id = orders.order_id
        left join accounts on refunds.account_id = accounts.account_id

    )

select
    signals.signal_id,
    signals.order_id,
    signals.customer_id,
    signals.signal_type,
    signals.score,
    signals.is_good,
    signals.known_date
from signals
cross join settings
where signals.customer_id is not null and signals.known_date <= settings.as_of_date
