with

    delivered as ({{ union_connectors("survey_responses") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (partition by source_name, response_id order by _file desc, _row desc)
            = 1

    )

select
    latest.source_name,
    latest.response_id,
    {{ source_key("customer_id", "customer") }} as customer_id,
    latest.customer_email_hash,
    {{ source_key("order_id", "order") }} as order_id,
    latest.survey_type,
    latest.question,
    {{ impersonal("latest.answer", "contacts") }} as answer,
    latest.score,
    latest.invited_at,
    latest.responded_at
from latest
cross join {{ ref("stg_sources") }} as sources
left join
    {{ ref("stg_contacts") }} as contacts
    on latest.source_name = contacts.source_name
    and {{ source_key("customer_id", "customer") }} = contacts.customer_id
