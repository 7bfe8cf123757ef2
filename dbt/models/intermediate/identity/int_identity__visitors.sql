-- 1. A cookie belongs to the only person that ever logged in on it, from that day on.
-- 2. A second person makes it nobody's; what was known before that day stays in first_customer_id.
with

    ranked as (

        select
            *,
            row_number() over (
                partition by source_name, anonymous_id order by linked_on, customer_id
            ) as person_number
        from {{ ref("int_identity__logins") }}

    )

select
    source_name,
    anonymous_id,
    case when count(*) = 1 then min(customer_id) end as customer_id,
    min(customer_id) filter (where person_number = 1) as first_customer_id,
    min(linked_on) as linked_on,
    min(linked_on) filter (where person_number = 2) as shared_on
from ranked
group by source_name, anonymous_id
