-- For how long customers were followed after the landmark of an experience, and after how many days
-- the next purchase came.
-- 1. Landmarks after as_of do not count yet. Whoever bought before the landmark has -1 day; a
-- purchase on its day has 0.
-- 2. Without a next purchase within 365 days the days are counted until as_of, else it is enough to
-- know which windows have ended.
{%- set landmarks = {
    "late_delivery": "arrived_date",
    "late_delivery_over_3_days": "arrived_date",
    "return": "known_date",
    "ticket": "known_date",
    "rating": "known_date",
    "recovery": "recovery_date",
    "sales_channel": "purchase_date",
} %}
with

    settings as (select * from {{ ref("int_run__settings") }}),

    experiences as (

        {% for experience, landmark in landmarks.items() %}
            select
                '{{ experience }}' as experience_type,
                {{ experience }}_experience as experience_value,
                purchase_number,
                {{ landmark }} as landmark_date,
                next_purchase_date
            from {{ ref("int_experience__occasions") }}
            where {{ experience }}_experience is not null
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    aged as (

        select
            experiences.experience_type,
            experiences.experience_value,
            experiences.purchase_number,
            {{ days_between("experiences.landmark_date", "settings.as_of_date") }} as age_days,
            {{ days_between("experiences.landmark_date", "experiences.next_purchase_date") }}
            as gap_days
        from experiences
        cross join settings
        where experiences.landmark_date <= settings.as_of_date

    ),

    followed as (

        select
            *,
            cast(
                case
                    when gap_days is null or gap_days > 365
                    then least(age_days, 365)
                    {% for days in [365, 180, 90] %}
                        when age_days >= {{ days }} then {{ days }}
                    {% endfor %}
                    else 0
                end as integer
            ) as followed_days,
            cast(
                case when gap_days <= 365 then greatest(gap_days, -1) end as integer
            ) as days_to_next_purchase
        from aged

    )

select
    experience_type,
    experience_value,
    purchase_number,
    followed_days,
    days_to_next_purchase,
    count(*) as customers
from followed
group by experience_type, experience_value, purchase_number, followed_days, days_to_next_purchase
