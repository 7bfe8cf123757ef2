-- A session is of the person who logged in during it; where nobody did, of the cookie's person.
-- known_from is the day from which on that could be known, known_until the last one.
with

    sessions as (select * from {{ ref("int_events__sessions") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    visitors as (select * from {{ ref("int_identity__visitors") }}),

    logged_in as (

        select
            events.session_id,
            count(distinct coalesce(accounts.customer_id, emails.customer_id)) as persons,
            min(coalesce(accounts.customer_id, emails.customer_id)) as customer_id
        from {{ ref("int_events__sessionized") }} as events
        left join accounts on events.account_id = accounts.account_id
        left join
            emails
            on case when accounts.customer_id is null then events.email_hash end = emails.email_hash
        where events.account_id is not null or events.email_hash is not null
        group by events.session_id

    )

select
    sessions.session_id,
    case
        when logged_in.persons = 1
        then logged_in.customer_id
        when coalesce(logged_in.persons, 0) = 0
        then visitors.customer_id
    end as customer_id,
    case
        when logged_in.persons = 1
        then logged_in.customer_id
        when coalesce(logged_in.persons, 0) = 0
        then visitors.first_customer_id
    end as customer_id_then,
    case
        when logged_in.persons = 1
        then sessions.event_date
        when coalesce(logged_in.persons, 0) = 0 and visitors.linked_on is not null
        then greatest(sessions.event_date, visitors.linked_on)
    end as known_from,
    case
        when coalesce(logged_in.persons, 0) = 0 then {{ add_days("visitors.shared_on", -1) }}
    end as known_until
from sessions
left join logged_in on sessions.session_id = logged_in.session_id
left join
    visitors
    on sessions.source_name = visitors.source_name
    and sessions.anonymous_id = visitors.anonymous_id
