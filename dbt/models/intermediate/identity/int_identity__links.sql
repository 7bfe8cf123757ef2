-- Why each identifier is of the person that it is of, or of nobody.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    resolved as (select * from {{ ref("int_identity__resolved") }}),

    visitors as (select * from {{ ref("int_identity__visitors") }}),

    explained as (

        select
            resolved.*,
            addresses.shared_because as address_shared_because,
            case
                when resolved.customer_id is null
                then 'nothing'
                when resolved.joined_with is not null or resolved.parted_from is not null
                then 'override'
                when resolved.identifier = resolved.customer_id
                then 'itself'
                when resolved.identifier_type = 'email'
                then 'account'
                else 'address'
            end as linked_by
        from resolved
        left join
            resolved as addresses
            on case when resolved.identifier_type = 'account' then resolved.email_hash end
            = addresses.identifier
            and addresses.identifier_type = 'email'

    ),

    identifiers as (

        select
            explained.identifier_type,
            cast(null as string) as source_name,
            explained.identifier,
            explained.customer_id,
            explained.linked_by,
            case
                explained.linked_by
                when 'override'
                then coalesce(explained.joined_with, explained.parted_from)
                when 'account'
                then coalesce(explained.named_with, explained.customer_id)
                when 'address'
                then explained.email_hash
            end as linked_through,
            case
                when explained.linked_by = 'nothing'
                then 'identifies nobody: ' || explained.shared_because
                when explained.joined_with is not null
                then 'put together with ' || explained.joined_with || ' by identity_overrides'
                when explained.parted_from is not null
                then 'kept apart from ' || explained.parted_from || ' by identity_overrides'
                when explained.linked_by = 'address'
                then 'has the address of an older account'
                when explained.linked_by = 'account' and explained.email_hash is null
                then 'was named with no other account'
                when explained.linked_by = 'account'
                then 'is the address of the account'
                when explained.address_shared_because is not null
                then 'stands for itself; its address is ' || explained.address_shared_because
                else 'stands for itself'
            end as reason,
            coalesce(
                explained.decided_on,
                {{
                    shop_date(
                        "greatest(explained.known_since, persons.known_since)",
                        "settings.time_zone",
                    )
                }}
            ) as linked_on
        from explained
        cross join settings
        left join
            resolved as persons
            on explained.customer_id = persons.identifier
            and persons.identifier_type = 'account'

    )

select *
from identifiers
union all
select
    'cookie' as identifier_type,
    source_name,
    anonymous_id as identifier,
    customer_id,
    case when customer_id is null then 'nothing' else 'login' end as linked_by,
    first_customer_id as linked_through,
    case
        when customer_id is null
        then 'identifies nobody since a second person logged in on it'
        else 'only this person has logged in on it'
    end as reason,
    coalesce(shared_on, linked_on) as linked_on
from visitors
