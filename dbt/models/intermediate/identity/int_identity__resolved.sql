-- 1. Accounts of one address are one person; so is an address with the only account it was named
-- with.
-- 2. What identifies nobody links nothing: an account stays for itself, a guest is nobody.
-- 3. Overrides part, then join; the person's id is that of the oldest account, else of the oldest
-- address.
with

    known as (select * from {{ ref("int_identity__known") }}),

    overrides as (select * from {{ ref("identity_overrides") }}),

    addresses as (

        select identifier as email_hash
        from known
        where identifier_type = 'email' and shared_because is null

    ),

    accounts as (

        select
            known.identifier as account_id,
            case
                when known.shared_because is null
                then coalesce('email ' || addresses.email_hash, 'account ' || known.identifier)
            end as person
        from known
        left join addresses on known.email_hash = addresses.email_hash
        where known.identifier_type = 'account'

    ),

    ruled as (

        select
            known.*,
            case
                when known.identifier_type = 'account'
                then accounts.person
                when known.shared_because is null
                then coalesce(accounts.person, 'email ' || known.identifier)
            end as person
        from known
        left join
            accounts
            on case
                when known.identifier_type = 'account'
                then known.identifier
                when known.email_hash is null
                then known.named_with
            end
            = accounts.account_id

    ),

    parted as (

        select
            own.identifier,
            min(overrides.other_id) as other_id,
            min(overrides.decided_on) as decided_on
        from overrides
        inner join ruled as own on overrides.customer_id = own.identifier
        inner join ruled as other on overrides.other_id = other.identifier
        where overrides.decision = 'apart' and own.person = other.person
        group by own.identifier

    ),

    after_parting as (

        select
            ruled.*,
            case
                when parted.identifier is not null
                then 'apart ' || ruled.identifier
                else ruled.person
            end as person_after_parting,
            parted.other_id as parted_from,
            parted.decided_on as parted_on
        from ruled
        left join parted on ruled.identifier = parted.identifier

    ),

    joined as (

        select
            own.person_after_parting as person,
            min(other.person_after_parting) as person_joined,
            min(overrides.other_id) as other_id,
            min(overrides.decided_on) as decided_on
        from overrides
        inner join after_parting as own on overrides.customer_id = own.identifier
        inner join after_parting as other on overrides.other_id = other.identifier
        where
            overrides.decision = 'together'
            and own.person_after_parting <> other.person_after_parting
        group by own.person_after_parting

    ),

    decided as (

        select
            after_parting.*,
            coalesce(joined.person_joined, after_parting.person_after_parting) as person_decided,
            joined.other_id as joined_with,
            coalesce(joined.decided_on, after_parting.parted_on) as decided_on
        from after_parting
        left join joined on after_parting.person_after_parting = joined.person

    ),

    named as (

        select
            *,
            {{ oldest_identifier("person") }} as customer_id_by_rules,
            {{ oldest_identifier("person_decided") }} as customer_id
        from decided

    )

select
    identifier_type,
    identifier,
    email_hash,
    case when person_decided is not null then customer_id end as customer_id,
    case when person is not null then customer_id_by_rules end as customer_id_by_rules,
    named_with,
    parted_from,
    joined_with,
    shared_because,
    is_registered,
    created_at,
    first_mentioned_at,
    known_since,
    decided_on
from named
