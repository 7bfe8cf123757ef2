select 'files' as source_name, customer_id, attribute, answered_at, value, origin, _file, _row
from {{ source("files", "preferences") }}
