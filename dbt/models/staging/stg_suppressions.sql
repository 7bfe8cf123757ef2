-- Who is listed several times is listed. An account keeps the id that the list gives it: the list
-- may come from another source than the account.
with delivered as ({{ union_connectors("suppressions") }})

select
    source_name,
    customer_id,
    customer_email_hash,
    customer_phone_hash,
    channel,
    min(reason) as reason
from delivered
group by source_name, customer_id, customer_email_hash, customer_phone_hash, channel
