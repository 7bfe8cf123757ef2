-- An e-mail belongs to the person whose account carries it; without such an account it is a person
-- itself.
with

    accounts as (

        select email_hash, min(customer_id) as customer_id
        from {{ ref("int_identity__accounts") }}
        where email_hash is not null
        group by email_hash

    ),

    guests as (

        select distinct email_hash
        from {{ ref("int_identity__mentions") }}
        where email_hash is not null and account_id is null

    )

select
    coalesce(accounts.email_hash, guests.email_hash) as email_hash,
    coalesce(accounts.customer_id, guests.email_hash) as customer_id
from accounts
full outer join guests on accounts.email_hash = guests.email_hash
