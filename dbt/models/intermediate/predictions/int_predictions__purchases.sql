-- Nothing of a fit to another intake, which a build without a fit of its own would find.
select
    frequency,
    recency_days,
    age_days,
    p_alive,
    {% for days in [30, 90, 180, 365] %}
        probability_of_purchase_{{ days }}_days,
        expected_purchases_{{ days }}_days,
        discounted_purchases_{{ days }}_days
        {%- if not loop.last %},{% endif %}
    {% endfor %}
from {{ source("ltv", "purchases") }}
where run_id = (select run_id from {{ ref("int_run__settings") }})
