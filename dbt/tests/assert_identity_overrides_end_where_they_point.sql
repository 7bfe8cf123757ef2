-- Who is put together with another must not be one with whom another is put together, nor point at
-- two: name the same other_id in all rows about a person.
select moved.customer_id, moved.other_id
from {{ ref("identity_overrides") }} as moved
inner join
    {{ ref("identity_overrides") }} as onward
    on moved.decision = 'together'
    and onward.decision = 'together'
    and (
        moved.other_id = onward.customer_id
        or (moved.customer_id = onward.customer_id and moved.other_id <> onward.other_id)
    )
