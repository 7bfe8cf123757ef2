select
    'demo' as source_name,
    answer_no as response_id,
    account as customer_id,
    contact_email_hash as customer_email_hash,
    order_no as order_id,
    case
        survey when 'recommend' then 'promoter_score' when 'satisfied' then 'satisfaction'
    end as survey_type,
    cast(null as string) as question,
    cast(null as string) as answer,
    score,
    sent_at as invited_at,
    answered_at as responded_at,
    _file,
    _row
from {{ source("demo", "survey_answers") }}
