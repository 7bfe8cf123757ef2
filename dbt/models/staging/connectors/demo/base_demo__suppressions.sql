select
    'demo' as source_name,
    account as customer_id,
    email_hash as customer_email_hash,
    mobile_hash as customer_phone_hash,
    nullif(way, 'any') as channel,
    because as reason,
    _file,
    _row
from {{ source("demo", "do_not_contact") }}
