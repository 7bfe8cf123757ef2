select connector, entity, file, column_name, reason, line, row_number as record_number, rejected_at
from {{ source("intake", "rejected_rows") }}
