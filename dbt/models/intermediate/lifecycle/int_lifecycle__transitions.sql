-- Days on which stage or segment changed, and why: what began that day and made the new segment;
-- else what ended the day before and had made the old one; else what made the new stage.
with

    states as (select * from {{ ref("int_lifecycle__states") }}),

    spans as (select * from {{ ref("int_lifecycle__spans") }}),

    changes as (

        select
            customer_id,
            lag(lifecycle_stage) over history as from_stage,
            lifecycle_stage as to_stage,
            lag(segment) over history as from_segment,
            segment as to_segment,
            is_expected,
            valid_from as transition_date
        from states
        window history as (partition by customer_id order by valid_from)

    ),

    transitions as (

        select *
        from changes
        where from_stage is null or from_stage <> to_stage or from_segment <> to_segment

    ),

    endings as (

        select
            customer_id,
            span_type,
            {{ add_days("ends_on", 1) }} as over_on,
            min(end_reason) as reason
        from spans
        where ends_on is not null
        group by customer_id, span_type, ends_on

    )

select
    transitions.customer_id,
    transitions.from_stage,
    transitions.to_stage,
    transitions.from_segment,
    transitions.to_segment,
    coalesce(
        case
            when coalesce(transitions.from_segment, '') <> transitions.to_segment
            then coalesce(segment_beginnings.start_reason, segment_endings.reason)
        end,
        stage_beginnings.start_reason
    ) as reason,
    transitions.is_expected,
    transitions.transition_date
from transitions
left join
    spans as segment_beginnings
    on transitions.customer_id = segment_beginnings.customer_id
    and transitions.to_segment = segment_beginnings.span_type
    and transitions.transition_date = segment_beginnings.starts_on
left join
    endings as segment_endings
    on transitions.customer_id = segment_endings.customer_id
    and transitions.from_segment = segment_endings.span_type
    and transitions.transition_date = segment_endings.over_on
left join
    spans as stage_beginnings
    on transitions.customer_id = stage_beginnings.customer_id
    and transitions.to_stage = stage_beginnings.span_type
    and transitions.transition_date = stage_beginnings.starts_on
