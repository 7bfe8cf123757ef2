select
    'files' as source_name,
    shipment_id,
    order_id,
    carrier,
    cost_amount,
    promised_date,
    shipped_at,
    delivered_at,
    updated_at,
    _file,
    _row
from {{ source("files", "shipments") }}
