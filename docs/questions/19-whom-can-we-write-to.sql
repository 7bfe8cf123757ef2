-- Whom can we write to, and what keeps us from the others?
--
-- A row is an audience: its customers, how many can be contacted today, and of the others how
-- many gave no consent, are held out to measure the effect, or cannot be contacted for another
-- reason.
select
    audience,
    sum(customers) as customers,
    coalesce(
        sum(customers) filter (where contact_status = 'can be contacted'), 0
    ) as can_be_contacted,
    coalesce(sum(customers) filter (where contact_status = 'no consent'), 0) as no_consent,
    coalesce(sum(customers) filter (where contact_status = 'held out'), 0) as held_out,
    coalesce(
        sum(customers) filter (
            where contact_status not in ('can be contacted', 'no consent', 'held out')
        ),
        0
    ) as other_reasons
from fct_audience_sizes
group by audience
order by can_be_contacted desc, audience
