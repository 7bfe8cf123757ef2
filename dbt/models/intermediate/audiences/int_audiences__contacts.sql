-- Who was in an export, under the name of the person that he is now. Two who have turned out to be
-- one were contacted if either was.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    identifiers as (

        select identifier, min(customer_id) as customer_id
        from {{ ref("int_identity__resolved") }}
        where customer_id is not null
        group by identifier

    )

select
    contacts.audience,
    coalesce(identifiers.customer_id, contacts.customer_id) as customer_id,
    min(contacts.channel) as channel,
    bool_and(contacts.is_holdout) as is_holdout,
    max(contacts.holdout_share) as holdout_share,
    contacts.contact_date
from {{ ref("stg_recorded_contacts") }} as contacts
cross join settings
left join identifiers on contacts.customer_id = identifiers.identifier
where contacts.contact_date <= settings.as_of_date
group by
    contacts.audience,
    coalesce(identifiers.customer_id, contacts.customer_id),
    contacts.contact_date
