-- A cancelling invoice does not say which order it cancels.
select
    'online_retail' as source_name,
    invoice_no || '-' || cast(line_number as string) as refund_id,
    cast(null as string) as order_id,
    cast(null as bigint) as line_number,
    customer_id,
    stock_code as product_id,
    line_type,
    'GBP' as currency,
    cast(null as string) as reason,
    cast(- quantity * unit_price as decimal(18, 6)) as amount,
    invoiced_at as refunded_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from {{ ref("base_online_retail__lines") }}
where is_refund
