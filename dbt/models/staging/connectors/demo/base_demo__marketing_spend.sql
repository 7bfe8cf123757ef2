select
    'demo' as source_name,
    day as spend_date,
    medium as channel,
    campaign,
    currency,
    cost as amount,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "marketing_spend") }}
