select
    'demo' as source_name,
    account as customer_id,
    attribute,
    answered_at,
    answer as value,
    origin,
    _file,
    _row
from {{ source("demo", "preferences") }}
