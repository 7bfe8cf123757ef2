{{ config(schema="pii") }}

select
    reachable.customer_id,
    reachable.channel,
    case
        reachable.channel when 'email' then contacts.email_address else contacts.phone_number
    end as address,
    reachable.language,
    case
        when reachable.has_clean_greeting
        then replace(greetings.with_name, '{name}', contacts.first_name)
        else greetings.neutral
    end as greeting,
    contacts.first_name,
    contacts.last_name,
    reachable.is_holdout,
    settings.started_at as run_started_at
from {{ ref("int_contacts__reachable") }} as reachable
cross join {{ ref("int_run__settings") }} as settings
inner join {{ ref("stg_contacts") }} as contacts on reachable.account_id = contacts.customer_id
inner join {{ ref("greetings") }} as greetings on reachable.language = greetings.language
where reachable.channel is not null
