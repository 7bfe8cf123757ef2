select
    'files' as source_name,
    ticket_id,
    customer_id,
    customer_email_hash,
    order_id,
    topic,
    satisfaction_score,
    opened_at,
    resolved_at,
    updated_at,
    _file,
    _row
from {{ source("files", "support_tickets") }}
