-- Kaplan-Meier from the landmark of an experience to the next purchase, and where it stands at the
-- end of each window, by the rules of int_repeat__rates.
-- 1. Arms are compared with the good one; sales channels with the web, else with the most frequent,
-- and only where there are several.
{%- set stratum = "experience_type, experience_value, purchase_number" %}
with

    follow_ups as (select * from {{ ref("int_experience__follow_ups") }}),

    windows as (

        {% for days in [90, 180, 365] %}
            select cast({{ days }} as integer) as window_days
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    ended as (

        select
            {{ stratum }},
            coalesce(days_to_next_purchase, followed_days) as days,
            cast(sum(customers) as bigint) as customers,
            cast(
                sum(case when days_to_next_purchase is not null then customers else 0 end) as bigint
            ) as returned
        from follow_ups
        where coalesce(days_to_next_purchase, 0) >= 0
        group by {{ stratum }}, coalesce(days_to_next_purchase, followed_days)

    ),

    at_risk as (

        select
            *,
            cast(
                sum(customers) over (
                    partition by {{ stratum }} order by days desc rows unbounded preceding
                ) as bigint
            ) as at_risk
        from ended

    ),

    life_tables as (

        select *, {{ survival() }} as survival, {{ hazard_variance() }} as hazard_variance
        from at_risk
        window
            curve as (
                partition by {{ stratum }}
                order by days
                rows between unbounded preceding and current row
            )

    ),

    ends as (

        select
            {{ stratum }},
            window_days,
            coalesce(min(case when days <= window_days then survival end), 1) as survival,
            coalesce(
                max(case when days <= window_days then hazard_variance end), 0
            ) as hazard_variance,
            sum(case when days <= window_days then returned else 0 end) as returned,
            coalesce(max(case when days >= window_days then at_risk end), 0) as at_risk
        from life_tables
        cross join windows
        group by {{ stratum }}, window_days

    ),

    counts as (

        select
            {{ stratum }},
            window_days,
            sum(case when days_to_next_purchase < 0 then 0 else customers end) as customers,
            sum(
                case when days_to_next_purchase < 0 then customers else 0 end
            ) as excluded_customers,
            sum(
                case
                    when days_to_next_purchase < 0
                    then 0
                    when followed_days >= window_days
                    then customers
                    else 0
                end
            ) as mature_customers
        from follow_ups
        cross join windows
        group by {{ stratum }}, window_days

    ),

    channels as (

        select
            experience_type,
            experience_value,
            row_number() over (
                order by
                    case when experience_value = 'web' then 0 else 1 end,
                    sum(customers) desc,
                    experience_value
            ) as channel_rank,
            count(*) over () as channels
        from follow_ups
        where experience_type = 'sales_channel'
        group by experience_type, experience_value

    ),

    joined as (

        select
            counts.*,
            coalesce(ends.survival, 1) as survival,
            coalesce(ends.hazard_variance, 0) as hazard_variance,
            coalesce(ends.returned, 0) as returned,
            coalesce(ends.at_risk, 0) as at_risk,
            coalesce(
                channels.channel_rank = 1,
                counts.experience_value in ('on_time', 'kept', 'no_ticket', 'good', 'not_recovered')
            ) as is_reference
        from counts
        left join
            ends
            on counts.experience_type = ends.experience_type
            and counts.experience_value = ends.experience_value
            and counts.purchase_number = ends.purchase_number
            and counts.window_days = ends.window_days
        left join
            channels
            on counts.experience_type = channels.experience_type
            and counts.experience_value = channels.experience_value
        where coalesce(channels.channels, 2) > 1

    )

select
    {{ stratum }},
    window_days,
    customers,
    excluded_customers,
    mature_customers,
    returned,
    at_risk,
    is_reference,
    (at_risk >= 10 or mature_customers = customers) and customers >= 10 as is_shown,
    1 - survival as rate,
    {{ rate_bound("lower") }} as rate_lower,
    {{ rate_bound("upper") }} as rate_upper
from joined
