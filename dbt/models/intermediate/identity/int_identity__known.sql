-- 1. An account is known from the customers that the shop delivered, or from a fact that names it.
-- 2. Its e-mail is its own, else that named with it last.
-- 3. What too many share, or what stands for no address at all, identifies nobody; nor does the
-- address of such an account, unless a fact names it.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    placeholders as (select * from {{ ref("stg_placeholder_emails") }}),

    delivered as (

        select customers.*
        from {{ ref("stg_customers") }} as customers
        cross join settings
        where
            customers.created_at is null
            or {{ shop_date("customers.created_at", "settings.time_zone") }} <= settings.as_of_date

    ),

    mentions as (select * from {{ ref("int_identity__mentions") }}),

    mentioned as (

        select
            account_id,
            min(first_mentioned_at) as first_mentioned_at,
            count(distinct email_hash) as emails
        from mentions
        where account_id is not null
        group by account_id

    ),

    named_last as (

        select account_id, email_hash
        from mentions
        where account_id is not null and email_hash is not null
        qualify
            row_number() over (
                partition by account_id order by last_mentioned_at desc, email_hash desc
            )
            = 1

    ),

    accounts as (

        select
            coalesce(delivered.customer_id, mentioned.account_id) as account_id,
            coalesce(delivered.email_hash, named_last.email_hash) as email_hash,
            coalesce(mentioned.emails, 0) as emails,
            delivered.customer_id is not null as is_registered,
            delivered.created_at,
            mentioned.first_mentioned_at
        from delivered
        full outer join mentioned on delivered.customer_id = mentioned.account_id
        left join named_last on mentioned.account_id = named_last.account_id

    ),

    carried as (

        select email_hash, count(*) as accounts, min(emails) as emails
        from accounts
        where email_hash is not null
        group by email_hash

    ),

    named as (

        select
            email_hash,
            case when count(distinct account_id) = 1 then min(account_id) end as named_with,
            min(first_mentioned_at) as first_mentioned_at
        from mentions
        where email_hash is not null
        group by email_hash

    ),

    emails as (

        select
            coalesce(carried.email_hash, named.email_hash) as email_hash,
            coalesce(carried.accounts, 0) as accounts,
            case when named.email_hash is null then carried.emails end as emails_of_account,
            named.named_with,
            named.first_mentioned_at
        from carried
        full outer join named on carried.email_hash = named.email_hash

    )

select
    'account' as identifier_type,
    accounts.account_id as identifier,
    accounts.email_hash,
    cast(null as string) as named_with,
    case
        when accounts.emails > settings.max_emails_per_account
        then 'named with ' || cast(accounts.emails as string) || ' addresses'
    end as shared_because,
    accounts.is_registered,
    accounts.created_at,
    accounts.first_mentioned_at,
    coalesce(accounts.created_at, accounts.first_mentioned_at) as known_since
from accounts
cross join settings
union all
select
    'email' as identifier_type,
    emails.email_hash as identifier,
    case when emails.accounts > 0 then emails.email_hash end as email_hash,
    emails.named_with,
    case
        when placeholders.email_hash is not null
        then 'a placeholder'
        when emails.accounts > settings.max_accounts_per_email
        then 'shared by ' || cast(emails.accounts as string) || ' accounts'
        when emails.emails_of_account > settings.max_emails_per_account
        then 'of an account named with ' || cast(emails.emails_of_account as string) || ' addresses'
    end as shared_because,
    false as is_registered,
    cast(null as timestamp) as created_at,
    emails.first_mentioned_at,
    emails.first_mentioned_at as known_since
from emails
cross join settings
left join placeholders on emails.email_hash = placeholders.email_hash
