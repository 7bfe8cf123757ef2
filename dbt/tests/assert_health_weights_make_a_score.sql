-- Each of the five components is weighed once and none by less than 0, some by more; where points
-- rise up to a number, that is above 0.
with

    weights as (

        select
            component,
            weight,
            full_at,
            sum(weight) over () as total_weight,
            count(*) over () as components
        from {{ ref("health_weights") }}

    )

select component, weight, full_at
from weights
where
    component not in ('recency', 'frequency', 'breadth', 'engagement', 'experience')
    or weight < 0
    or total_weight = 0
    or components <> 5
    or (component in ('frequency', 'breadth', 'engagement') and coalesce(full_at, 0) <= 0)
