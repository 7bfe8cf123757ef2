with

    delivered as ({{ union_connectors("survey_responses") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (partition by source_name, response_id order by _file desc, _row desc)
            = 1

    ),

    by_address as (

        select email_hash, min(first_name) as first_name, min(last_name) as last_name
        from {{ ref("stg_contacts") }}
        group by email_hash

    ),

    named as (

        select
            latest.*,
            {{ source_key("customer_id", "customer") }} as account_id,
            {{ source_key("order_id", "order") }} as named_order_id,
            coalesce(contacts.first_name, by_address.first_name) as first_name,
            coalesce(contacts.last_name, by_address.last_name) as last_name
        from latest
        cross join {{ ref("stg_sources") }} as sources
        left join
            {{ ref("stg_contacts") }} as contacts
            on latest.source_name = contacts.source_name
            and {{ source_key("customer_id", "customer") }} = contacts.customer_id
        left join by_address on latest.customer_email_hash = by_address.email_hash

    )

select
    source_name,
    response_id,
    account_id as customer_id,
    customer_email_hash,
    named_order_id as order_id,
    survey_type,
    question,
    {{ impersonal("answer", ["named.first_name", "named.last_name"]) }} as answer,
    score,
    invited_at,
    responded_at
from named
