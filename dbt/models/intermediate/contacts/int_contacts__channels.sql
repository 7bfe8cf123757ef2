-- 1. A channel is permitted where an account of the person says so and none says the opposite.
-- 2. What is written to is the oldest account that permits it and has an address that mail can be
-- sent to and that stands for one person, or a number with a country code that no other person has.
-- 3. The list of those not to be contacted stops the person, the address and the channel that it
-- names; one that is not known here, or none, stands for all. An id without a source stands for the
-- accounts of all sources, an id that is an address for whoever has it, as a number does.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    delivered as (

        select
            customers.*,
            coalesce(
                {{ shop_date("customers.created_at", "settings.time_zone") }}
                <= settings.as_of_date,
                true
            ) as is_made
        from {{ ref("stg_customers") }} as customers
        cross join settings

    ),

    -- Accounts made after as_of are of the person of their address: what they refuse is refused,
    -- what they permit is not known yet.
    accounts as (

        select
            case
                when delivered.is_made and accounts.customer_id is not null
                then accounts.customer_id
                else emails.customer_id
            end as customer_id,
            delivered.customer_id as account_id,
            accounts.known_since,
            delivered.source_name,
            delivered.email_hash,
            delivered.phone_hash,
            delivered.language,
            delivered.has_clean_name,
            delivered.has_marketing_consent,
            delivered.has_sms_consent,
            delivered.has_email_address and emails.customer_id is not null as has_address,
            delivered.has_phone_number,
            delivered.is_made and accounts.customer_id is not null as is_known
        from delivered
        left join
            {{ ref("int_identity__accounts") }} as accounts
            on delivered.customer_id = accounts.account_id
        left join emails on delivered.email_hash = emails.email_hash
        where
            emails.customer_id is not null
            or (delivered.is_made and accounts.customer_id is not null)

    ),

    shared_numbers as (

        select phone_hash from accounts group by phone_hash having count(distinct customer_id) > 1

    ),

    ways as (

        select
            accounts.*,
            'email' as channel,
            case
                when is_known or not has_marketing_consent then has_marketing_consent
            end as has_consent,
            has_address as is_usable
        from accounts
        union all
        select
            accounts.*,
            'sms' as channel,
            case when is_known or not has_sms_consent then has_sms_consent end as has_consent,
            has_phone_number and shared_numbers.phone_hash is null as is_usable
        from accounts
        left join shared_numbers on accounts.phone_hash = shared_numbers.phone_hash

    ),

    ids as (

        select customer_id, account_id as listed_id
        from accounts
        union
        select customer_id, replace(account_id, source_name || ':', '') as listed_id
        from accounts
        union
        select customer_id, source_name || ':' || account_id as listed_id
        from accounts
        union
        select customer_id, phone_hash as listed_id
        from accounts
        union
        select customer_id, email_hash as listed_id
        from emails

    ),

    -- An id that is an address has the same hash as the address.
    listed as (

        select customer_id as listed_id, lower(trim(channel)) as channel
        from {{ ref("stg_suppressions") }}
        union
        select customer_email_hash as listed_id, lower(trim(channel)) as channel
        from {{ ref("stg_suppressions") }}
        union
        select customer_phone_hash as listed_id, lower(trim(channel)) as channel
        from {{ ref("stg_suppressions") }}

    ),

    stopped as (

        select listed_id, 'email' as channel
        from listed
        where listed_id is not null and (channel = 'sms') is not true
        union
        select listed_id, 'sms' as channel
        from listed
        where listed_id is not null and (channel = 'email') is not true

    ),

    stopped_persons as (

        select distinct ids.customer_id, stopped.channel
        from stopped
        inner join ids on stopped.listed_id = ids.listed_id

    ),

    judged as (

        select
            ways.*,
            stopped_persons.customer_id is not null
            or stopped_addresses.listed_id is not null as is_suppressed
        from ways
        left join
            stopped_persons
            on ways.customer_id = stopped_persons.customer_id
            and ways.channel = stopped_persons.channel
        left join
            stopped as stopped_addresses
            on ways.email_hash = stopped_addresses.listed_id
            and ways.channel = stopped_addresses.channel

    ),

    channels as (

        select
            customer_id,
            channel,
            count(*) filter (where has_consent) > 0
            and count(*) filter (where not has_consent) = 0 as is_permitted,
            count(*) filter (where has_consent and is_usable) > 0 as is_usable,
            count(*) filter (where is_suppressed) > 0 as is_suppressed
        from judged
        group by customer_id, channel

    ),

    oldest as (

        select *
        from judged
        where has_consent and is_usable and not is_suppressed
        qualify
            row_number() over (
                partition by customer_id, channel order by known_since nulls last, account_id
            )
            = 1

    )

select
    channels.customer_id,
    channels.channel,
    oldest.account_id,
    oldest.language,
    channels.is_permitted,
    channels.is_usable,
    channels.is_suppressed,
    channels.is_permitted and oldest.account_id is not null as is_open,
    coalesce(oldest.has_clean_name, false) as has_clean_name
from channels
left join oldest on channels.customer_id = oldest.customer_id and channels.channel = oldest.channel
