select
    'demo' as source_name,
    day as rate_date,
    base as from_currency,
    quote as to_currency,
    rate,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "exchange_rates") }}
