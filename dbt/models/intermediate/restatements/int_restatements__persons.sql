-- Who is another person than in the published version:
-- 1. A customer_id was that of an account or the hash of an e-mail, and this belongs to another
-- customer now: merged. Both ids are listed.
-- 2. An order belongs to another customer than it did: merged, separated or handed over. Both too.
with

    known as (

        select account_id as known_as, customer_id
        from {{ ref("int_identity__accounts") }}
        union all
        select email_hash as known_as, customer_id
        from {{ ref("int_identity__emails") }}

    ),

    moves as (

        select published.customer_id as old_customer_id, known.customer_id as new_customer_id
        from {{ source("previous", "fct_lifecycle_transitions") }} as published
        inner join known on published.customer_id = known.known_as
        where published.customer_id <> known.customer_id
        union all
        select published.customer_id as old_customer_id, orders.customer_id as new_customer_id
        from {{ source("previous", "fct_orders") }} as published
        inner join {{ ref("int_orders__valued") }} as orders on published.order_id = orders.order_id
        where published.customer_id <> orders.customer_id

    )

select old_customer_id as customer_id
from moves
union
select new_customer_id as customer_id
from moves
