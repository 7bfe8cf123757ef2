select
    'files' as source_name,
    customer_id,
    customer_email_hash,
    customer_phone_hash,
    channel,
    reason,
    _file,
    _row
from {{ source("files", "suppressions") }}
