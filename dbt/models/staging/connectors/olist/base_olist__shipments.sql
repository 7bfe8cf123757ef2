-- Olist tells of one delivery per order, on the order itself; what was promised and never handed
-- over is late all the same.
select
    'olist' as source_name,
    order_id as shipment_id,
    order_id,
    cast(null as string) as carrier,
    cast(null as decimal(18, 6)) as cost_amount,
    cast(order_estimated_delivery_date as date) as promised_date,
    order_delivered_carrier_date as shipped_at,
    order_delivered_customer_date as delivered_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ source("olist", "orders") }}
where
    order_delivered_carrier_date is not null
    or order_delivered_customer_date is not null
    or order_status not in ('canceled', 'unavailable')
