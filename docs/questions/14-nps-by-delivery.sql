-- Do late parcels cost us recommendations?
--
-- A row is a group of customers by how their parcels had arrived before they last said whether
-- they would recommend us: promoters (9 or 10), detractors (0 to 6), and the net promoter
-- score, the percent of the former less that of the latter. With few answers it jumps: one
-- answer of twenty moves it by five points or more.
with

    answers as (

        select
            advocacy.customer_id,
            advocacy.last_promoter_score as score,
            bool_or(experience.is_late) as was_late
        from fct_customer_advocacy as advocacy
        left join
            fct_order_experience as experience
            on advocacy.customer_id = experience.customer_id
            and experience.delivered_date <= advocacy.last_promoter_score_date
        where advocacy.last_promoter_score is not null
        group by advocacy.customer_id, advocacy.last_promoter_score

    ),

    grouped as (

        select
            case
                when was_late
                then 'late at least once'
                when not was_late
                then 'on time'
                else 'not known'
            end as deliveries,
            score
        from answers

    )

select
    deliveries,
    count(*) as answers,
    count(*) filter (where score >= 9) as promoters,
    count(*) filter (where score <= 6) as detractors,
    round(
        cast(
            100.0
            * (count(*) filter (where score >= 9) - count(*) filter (where score <= 6))
            / count(*) as decimal(18, 6)
        ),
        1
    ) as nps
from grouped
group by deliveries
order by deliveries
