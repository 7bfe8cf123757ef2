select
    'files' as source_name,
    response_id,
    customer_id,
    customer_email_hash,
    order_id,
    survey_type,
    question,
    answer,
    score,
    invited_at,
    responded_at,
    _file,
    _row
from {{ source("files", "survey_responses") }}
