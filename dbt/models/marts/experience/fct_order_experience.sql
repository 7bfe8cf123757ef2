select
    order_id,
    customer_id,
    sales_channel,
    cast(purchase_number as integer) as purchase_number,
    cast(days_late as integer) as days_late,
    rating,
    is_late,
    is_returned,
    has_ticket,
    is_bad_experience,
    is_recovered,
    order_date,
    promised_date,
    delivered_date,
    bad_experience_date,
    recovered_date
from {{ ref("int_experience__orders") }}
where tells_experiences
