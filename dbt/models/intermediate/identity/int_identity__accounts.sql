select
    identifier as account_id,
    email_hash,
    customer_id,
    is_registered,
    created_at,
    first_mentioned_at,
    known_since
from {{ ref("int_identity__resolved") }}
where identifier_type = 'account'
