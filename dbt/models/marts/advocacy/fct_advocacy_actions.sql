select
    action_id, customer_id, action_type, polarity, score, weight, makes_lover, acted_date, acted_at
from {{ ref("int_advocacy__actions") }}
