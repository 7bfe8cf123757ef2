with

    judged as (

        select
            audience,
            case
                when excluded_because is not null
                then excluded_because
                when is_holdout
                then 'held out'
                when is_capped
                then 'contacted lately'
                else 'can be contacted'
            end as contact_status
        from {{ ref("int_audiences__judged") }}

    ),

    counted as (

        select audience, contact_status, count(*) as customers
        from judged
        group by audience, contact_status
        union all
        select audience, 'can be contacted' as contact_status, 0 as customers
        from {{ ref("audiences") }}

    )

select audience, contact_status, cast(sum(customers) as bigint) as customers
from counted
group by audience, contact_status
