select audience, customer_id, channel, is_holdout, holdout_share, contact_date, recorded_at
from {{ source("activation", "contacts") }}
