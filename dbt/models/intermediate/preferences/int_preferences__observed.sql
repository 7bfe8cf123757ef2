-- What a customer has done most often, at least twice: once is no habit. Of what was done equally
-- often the later counts.
with

    acts as (select * from {{ ref("int_preferences__acts") }}),

    counted as (

        select
            customer_id,
            attribute,
            value,
            max(times_so_far) as times,
            max(act_number) as last_act_number
        from acts
        group by customer_id, attribute, value

    ),

    ranked as (

        select
            *,
            max(last_act_number) over (partition by customer_id, attribute) as acts,
            row_number() over (
                partition by customer_id, attribute
                order by times desc, last_act_number desc, value desc
            ) as position
        from counted

    )

select customer_id, attribute, value, acts, times, {{ share("times", "acts") }} as share_of_acts
from ranked
where position = 1 and times >= 2
