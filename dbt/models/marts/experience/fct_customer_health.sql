select
    scores.customer_id,
    scores.recency_score,
    scores.frequency_score,
    scores.breadth_score,
    scores.engagement_score,
    scores.experience_score,
    scores.health_score,
    scores.expected_gap_days,
    cast(scores.days_since_last_purchase as integer) as days_since_last_purchase
from {{ ref("int_health__scores") }} as scores
inner join {{ ref("int_run__settings") }} as settings on scores.cut_off_date = settings.as_of_date
