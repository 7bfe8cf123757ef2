-- Rows of the published transitions that this run has not, or otherwise, and those that it has
-- besides, up to the published version's as_of. The old ones, so corrected, are the new ones.
with

    publication as (select * from {{ ref("int_restatements__publication") }}),

    persons as (select * from {{ ref("int_restatements__persons") }}),

    published as (

        select
            transitions.customer_id,
            transitions.transition_date,
            transitions.to_stage || ', ' || transitions.to_segment as state
        from {{ source("previous", "fct_lifecycle_transitions") }} as transitions
        cross join publication

    ),

    present as (

        select
            transitions.customer_id,
            transitions.transition_date,
            transitions.to_stage || ', ' || transitions.to_segment as state
        from {{ ref("int_lifecycle__transitions") }} as transitions
        cross join publication
        where transitions.transition_date <= publication.as_of_date

    ),

    compared as (

        select
            coalesce(published.customer_id, present.customer_id) as customer_id,
            coalesce(published.transition_date, present.transition_date) as transition_date,
            published.state as old_state,
            present.state as new_state
        from published
        full outer join
            present
            on published.customer_id = present.customer_id
            and published.transition_date = present.transition_date

    )

select
    compared.customer_id,
    compared.old_state,
    compared.new_state,
    persons.customer_id is not null as is_another_person,
    compared.transition_date
from compared
left join persons on compared.customer_id = persons.customer_id
where compared.old_state is distinct from compared.new_state
