select
    'files' as source_name, spend_date, channel, campaign, currency, amount, updated_at, _file, _row
from {{ source("files", "marketing_spend") }}
