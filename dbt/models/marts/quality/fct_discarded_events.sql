select event_date, source_name, discard_reason, cast(count(*) as bigint) as events
from {{ ref("int_events__cleaned") }}
where discard_reason is not null
group by event_date, source_name, discard_reason
