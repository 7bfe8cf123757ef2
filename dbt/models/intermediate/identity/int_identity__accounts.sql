-- 1. An account is known from the customers that the shop delivered, or from an order.
-- 2. Its e-mail is its own, else that of its latest order.
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

    ordering as (

        select
            account_id,
            max_by(email_hash, (ordered_at, order_id)) filter (
                where email_hash is not null
            ) as email_hash,
            min(ordered_at) as first_ordered_at
        from {{ ref("int_orders__dated") }}
        where account_id is not null
        group by account_id

    ),

    accounts as (

        select
            coalesce(delivered.customer_id, ordering.account_id) as account_id,
            coalesce(delivered.email_hash, ordering.email_hash) as email_hash,
            coalesce(delivered.created_at, ordering.first_ordered_at) as known_since
        from delivered
        full outer join ordering on delivered.customer_id = ordering.account_id

    )

select
    account_id,
    email_hash,
    first_value(account_id) over (
        partition by coalesce(email_hash, account_id)
        order by known_since nulls last, account_id
        rows between unbounded preceding and unbounded following
    ) as customer_id,
    known_since
from accounts
