select
    'demo' as source_name,
    ticket_no as ticket_id,
    account as customer_id,
    contact_email_hash as customer_email_hash,
    order_no as order_id,
    topic,
    satisfaction as satisfaction_score,
    opened_at,
    closed_at as resolved_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "support_tickets") }}
