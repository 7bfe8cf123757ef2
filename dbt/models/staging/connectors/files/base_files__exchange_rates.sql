select 'files' as source_name, rate_date, from_currency, to_currency, rate, updated_at, _file, _row
from {{ source("files", "exchange_rates") }}
