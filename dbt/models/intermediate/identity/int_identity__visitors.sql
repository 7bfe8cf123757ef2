-- 1. The person logged in at an event is that of its account, else of its e-mail.
-- 2. A cookie belongs to the only person that ever logged in on it, from that day on.
-- 3. A second person makes it nobody's; what was known before that day stays in first_customer_id.
with

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    logged_in as (

        select
            events.source_name,
            events.anonymous_id,
            coalesce(accounts.customer_id, emails.customer_id) as customer_id,
            min(events.event_date) as linked_on
        from {{ ref("int_events__cleaned") }} as events
        left join accounts on events.account_id = accounts.account_id
        left join
            emails
            on case when accounts.customer_id is null then events.email_hash end = emails.email_hash
        where
            events.anonymous_id is not null
            and (events.account_id is not null or events.email_hash is not null)
            and coalesce(accounts.customer_id, emails.customer_id) is not null
        group by
            events.source_name,
            events.anonymous_id,
            coalesce(accounts.customer_id, emails.customer_id)

    ),

    ranked as (

        select
            *,
            row_number() over (
                partition by source_name, anonymous_id order by linked_on, customer_id
            ) as person_number
        from logged_in

    )

select
    source_name,
    anonymous_id,
    case when count(*) = 1 then min(customer_id) end as customer_id,
    min(customer_id) filter (where person_number = 1) as first_customer_id,
    min(linked_on) as linked_on,
    min(linked_on) filter (where person_number = 2) as shared_on
from ranked
group by source_name, anonymous_id
