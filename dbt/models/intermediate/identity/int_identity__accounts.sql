-- 1. An account is known from the customers that the shop delivered, or from a fact that names it.
-- 2. Its e-mail is its own, else that named with it last.
-- 3. Accounts of one e-mail are one person; the person's id is that of the oldest account.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    delivered as (

        select customers.*
        from {{ ref("stg_customers") }} as customers
        cross join settings
        where
            customers.created_at is null
            or {{ shop_date("customers.created_at", "settings.time_zone") }} <= settings.as_of_date

    ),

    mentions as (select * from {{ ref("int_identity__mentions") }} where account_id is not null),

    mentioned as (

        select account_id, min(first_mentioned_at) as first_mentioned_at
        from mentions
        group by account_id

    ),

    emails as (

        select account_id, email_hash
        from mentions
        where email_hash is not null
        qualify
            row_number() over (
                partition by account_id order by last_mentioned_at desc, email_hash desc
            )
            = 1

    ),

    accounts as (

        select
            coalesce(delivered.customer_id, mentioned.account_id) as account_id,
            coalesce(delivered.email_hash, emails.email_hash) as email_hash,
            delivered.customer_id is not null as is_registered,
            delivered.created_at,
            mentioned.first_mentioned_at,
            coalesce(delivered.created_at, mentioned.first_mentioned_at) as known_since
        from delivered
        full outer join mentioned on delivered.customer_id = mentioned.account_id
        left join emails on mentioned.account_id = emails.account_id

    )

select
    account_id,
    email_hash,
    first_value(account_id) over (
        partition by coalesce(email_hash, account_id)
        order by known_since nulls last, account_id
        rows between unbounded preceding and unbounded following
    ) as customer_id,
    is_registered,
    created_at,
    first_mentioned_at,
    known_since
from accounts
