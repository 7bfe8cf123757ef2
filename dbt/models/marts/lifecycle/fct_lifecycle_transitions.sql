select customer_id, from_stage, to_stage, from_segment, to_segment, reason, transition_date
from {{ ref("int_lifecycle__transitions") }}
where not is_expected
