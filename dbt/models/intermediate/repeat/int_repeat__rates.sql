-- What each life table says at the end of each window, and whom it has counted.
-- 1. A table is followed to there where ten are still at risk. Where nobody is censored before it
-- is, too: the rate is a plain share then, however few are left.
-- 2. From ten customers on it may be shown.
{%- set windows = [30, 60, 90, 180, 365] -%}
{%- set stratum = "dimension_name, dimension_value, cohort_month, purchase_number" %}
with

    counts as (

        select
            {{ stratum }},
            sum(customers) as customers
            {%- for days in windows %}
                ,
                sum(
                    case when followed_days >= {{ days }} then customers else 0 end
                ) as mature_{{ days }},
                sum(
                    case
                        when followed_days >= {{ days }} and days_to_next_purchase <= {{ days }}
                        then customers
                        else 0
                    end
                ) as mature_returned_{{ days }},
                sum(
                    case when days_to_next_purchase <= {{ days }} then customers else 0 end
                ) as returned_{{ days }}
            {%- endfor %}
        from {{ ref("int_repeat__follow_ups") }}
        group by {{ stratum }}

    ),

    ends as (

        {% for days in windows %}
            select
                {{ stratum }},
                {{ days }} as window_days,
                coalesce(min(case when days <= {{ days }} then survival end), 1) as survival,
                coalesce(
                    max(case when days <= {{ days }} then hazard_variance end), 0
                ) as hazard_variance,
                coalesce(max(case when days >= {{ days }} then at_risk end), 0) as at_risk
            from {{ ref("int_repeat__life_tables") }}
            where purchase_number = 1 or window_days = {{ days }}
            group by {{ stratum }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    windowed as (

        {% for days in windows %}
            select
                {{ stratum }},
                {{ days }} as window_days,
                case
                    when purchase_number = 1 then customers else mature_{{ days }}
                end as customers,
                mature_{{ days }} as mature_customers,
                mature_returned_{{ days }} as mature_returned,
                case
                    when purchase_number = 1
                    then returned_{{ days }}
                    else mature_returned_{{ days }}
                end as returned
            from counts
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    joined as (

        select
            windowed.*,
            ends.at_risk,
            ends.survival,
            ends.hazard_variance,
            ends.at_risk >= 10 or windowed.mature_customers = windowed.customers as is_followed
        from windowed
        inner join
            ends
            on windowed.dimension_name = ends.dimension_name
            and windowed.dimension_value = ends.dimension_value
            and windowed.cohort_month is not distinct from ends.cohort_month
            and windowed.purchase_number = ends.purchase_number
            and windowed.window_days = ends.window_days

    )

select
    *,
    is_followed and customers >= 10 as is_shown,
    1 - survival as rate,
    {{ rate_bound("lower") }} as rate_lower,
    {{ rate_bound("upper") }} as rate_upper
from joined
