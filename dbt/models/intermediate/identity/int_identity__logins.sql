-- The person logged in at an event is that of its account, else of its e-mail.
with

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }})

select
    events.source_name,
    events.anonymous_id,
    coalesce(accounts.customer_id, emails.customer_id) as customer_id,
    min(events.event_date) as linked_on
from {{ ref("int_events__cleaned") }} as events
left join accounts on events.account_id = accounts.account_id
left join
    emails on case when accounts.customer_id is null then events.email_hash end = emails.email_hash
where
    events.anonymous_id is not null
    and (events.account_id is not null or events.email_hash is not null)
    and coalesce(accounts.customer_id, emails.customer_id) is not null
group by events.source_name, events.anonymous_id, coalesce(accounts.customer_id, emails.customer_id)
