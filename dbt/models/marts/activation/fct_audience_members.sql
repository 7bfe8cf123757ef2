select
    audience,
    customer_id,
    channel,
    language,
    subject,
    reason,
    has_clean_greeting,
    is_holdout,
    since_date,
    contact_from_date
from {{ ref("int_audiences__judged") }}
where excluded_because is null
