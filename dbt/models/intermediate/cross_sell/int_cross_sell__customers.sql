with

    cut_offs as (select cut_off_date from {{ ref("int_health__cut_offs") }}),

    states as (

        select cut_offs.cut_off_date, states.customer_id
        from {{ ref("int_lifecycle__states") }} as states
        inner join
            cut_offs
            on states.valid_from <= cut_offs.cut_off_date
            and coalesce(states.valid_to, date '9999-12-31') >= cut_offs.cut_off_date
        where not states.is_inactive and not states.is_negative_experience

    )

select
    scores.cut_off_date,
    scores.customer_id,
    scores.health_score,
    scores.has_repurchased,
    gaps.purchase_number,
    gaps.last_purchase_date
from {{ ref("int_health__scores") }} as scores
inner join
    {{ ref("int_repeat__gaps_at_cut_offs") }} as gaps
    on scores.cut_off_date = gaps.cut_off_date
    and scores.customer_id = gaps.customer_id
inner join
    states on scores.cut_off_date = states.cut_off_date and scores.customer_id = states.customer_id
where scores.health_score is not null
