select connector, entity, file, column_name, reason, line, record_number, rejected_at
from {{ ref("int_intake__rejected_rows") }}
