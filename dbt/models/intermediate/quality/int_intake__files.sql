select
    connector,
    entity,
    file,
    sha256,
    status,
    reason,
    note,
    duplicate_of,
    bytes,
    records,
    loaded,
    rejected,
    arrived_at
from {{ source("intake", "files") }}
