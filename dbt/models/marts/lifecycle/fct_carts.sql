select
    cart_id,
    source_name,
    customer_id,
    order_id,
    status,
    last_step,
    reason,
    cart_value,
    abandoned_on,
    started_at,
    last_step_at
from {{ ref("int_carts__episodes") }}
