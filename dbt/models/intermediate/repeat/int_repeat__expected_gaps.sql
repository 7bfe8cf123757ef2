select
    gaps.customer_id,
    gaps.expected_gap_days,
    gaps.gap_source,
    {{ add_days("gaps.last_purchase_date", "ceil(gaps.expected_gap_days)") }}
    as next_purchase_due_date
from {{ ref("int_repeat__gaps_at_cut_offs") }} as gaps
inner join {{ ref("int_run__settings") }} as settings on gaps.cut_off_date = settings.as_of_date
