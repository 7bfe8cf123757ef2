-- 1. A channel is permitted where an account of the person says so and none says the opposite.
-- 2. What is written to is the oldest account that permits it and has an address that mail can be
-- sent to and that stands for one person, or a number with a country code.
-- 3. The list of those not to be contacted stops the person, the address and the channel that it
-- names; one that is not known here, or none, stands for all. An id without a source stands for the
-- accounts of all sources.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    accounts as (

        select
            accounts.customer_id,
            accounts.account_id,
            accounts.known_since,
            customers.source_name,
            customers.email_hash,
            customers.language,
            customers.has_clean_name,
            customers.has_marketing_consent,
            customers.has_sms_consent,
            customers.has_email_address and emails.customer_id is not null as has_address,
            customers.has_phone_number
        from {{ ref("int_identity__accounts") }} as accounts
        cross join settings
        inner join
            {{ ref("stg_customers") }} as customers on accounts.account_id = customers.customer_id
        left join emails on customers.email_hash = emails.email_hash
        where
            accounts.customer_id is not null
            and (
                customers.created_at is null
                or {{ shop_date("customers.created_at", "settings.time_zone") }}
                <= settings.as_of_date
            )

    ),

    ways as (

        select *, 'email' as channel, has_marketing_consent as has_consent, has_address as is_usable
        from accounts
        union all
        select *, 'sms' as channel, has_sms_consent as has_consent, has_phone_number as is_usable
        from accounts

    ),

    ids as (

        select customer_id, account_id as listed_id
        from accounts
        union
        select customer_id, replace(account_id, source_name || ':', '') as listed_id
        from accounts

    ),

    listed as (

        select
            suppressions.customer_email_hash,
            ids.customer_id,
            lower(trim(suppressions.channel)) as channel
        from {{ ref("stg_suppressions") }} as suppressions
        left join ids on suppressions.customer_id = ids.listed_id
        union all
        select
            suppressions.customer_email_hash,
            emails.customer_id,
            lower(trim(suppressions.channel)) as channel
        from {{ ref("stg_suppressions") }} as suppressions
        inner join emails on suppressions.customer_email_hash = emails.email_hash

    ),

    stopped as (

        select customer_id, customer_email_hash, 'email' as channel
        from listed
        where (channel = 'sms') is not true
        union all
        select customer_id, customer_email_hash, 'sms' as channel
        from listed
        where (channel = 'email') is not true

    ),

    stopped_persons as (

        select distinct customer_id, channel from stopped where customer_id is not null

    ),

    stopped_addresses as (

        select distinct customer_email_hash, channel
        from stopped
        where customer_email_hash is not null

    ),

    judged as (

        select
            ways.*,
            stopped_persons.customer_id is not null
            or stopped_addresses.customer_email_hash is not null as is_suppressed
        from ways
        left join
            stopped_persons
            on ways.customer_id = stopped_persons.customer_id
            and ways.channel = stopped_persons.channel
        left join
            stopped_addresses
            on ways.email_hash = stopped_addresses.customer_email_hash
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
