-- 1. Why a candidate cannot be written to: the first reason that holds. Who has had a bad
-- experience gets nothing that promotes.
-- 2. The day from which the cap on contacts permits another one, in whatever audience; contacts of
-- who is held out count as if they had been made, so that both groups are chosen alike.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    candidates as (select * from {{ ref("int_audiences__candidates") }}),

    unhappy as (

        select customer_id
        from {{ ref("int_lifecycle__states") }} as states
        cross join settings
        where
            states.is_negative_experience
            and states.valid_from <= settings.as_of_date
            and coalesce(states.valid_to, settings.as_of_date) >= settings.as_of_date

    ),

    numbered as (

        select
            customer_id,
            contact_date,
            row_number() over (
                partition by customer_id order by contact_date desc, audience
            ) as recency_rank
        from {{ ref("int_audiences__contacts") }}

    ),

    capped as (

        select
            numbered.customer_id,
            {{ add_days("numbered.contact_date", "settings.contact_days") }} as free_date
        from numbered
        inner join settings on numbered.recency_rank = settings.max_contacts

    )

select
    candidates.audience,
    candidates.customer_id,
    reachable.channel,
    reachable.language,
    candidates.subject_id,
    candidates.reason,
    case
        when audiences.is_promotion and unhappy.customer_id is not null
        then 'bad experience'
        else reachable.unreachable_because
    end as excluded_because,
    reachable.has_clean_greeting,
    reachable.is_holdout,
    coalesce(capped.free_date > {{ add_days("settings.as_of_date", 1) }}, false) as is_capped,
    candidates.since_date,
    greatest(
        coalesce(capped.free_date, settings.as_of_date), {{ add_days("settings.as_of_date", 1) }}
    ) as contact_from_date
from candidates
cross join settings
inner join {{ ref("audiences") }} as audiences on candidates.audience = audiences.audience
inner join
    {{ ref("int_contacts__reachable") }} as reachable
    on candidates.customer_id = reachable.customer_id
left join unhappy on candidates.customer_id = unhappy.customer_id
left join capped on candidates.customer_id = capped.customer_id
