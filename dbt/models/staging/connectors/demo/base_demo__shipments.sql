select
    'demo' as source_name,
    parcel_no as shipment_id,
    order_no as order_id,
    carrier,
    cost as cost_amount,
    promised_on as promised_date,
    handed_over_at as shipped_at,
    delivered_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("demo", "shipments") }}
