-- Kaplan-Meier. From the second purchase on each window is a table of its own, for the customers
-- that it counts differ; the first has one table for all. Days without a row are as the one before.
with

    follow_ups as (select * from {{ ref("int_repeat__follow_ups") }}),

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
            follow_ups.dimension_name,
            follow_ups.dimension_value,
            follow_ups.cohort_month,
            follow_ups.purchase_number,
            windows.window_days,
            least(
                coalesce(follow_ups.days_to_next_purchase, follow_ups.followed_days),
                windows.window_days
            ) as days,
            cast(sum(follow_ups.customers) as bigint) as customers,
            cast(
                sum(
                    case
                        when follow_ups.days_to_next_purchase <= windows.window_days
                        then follow_ups.customers
                        else 0
                    end
                ) as bigint
            ) as returned
        from follow_ups
        inner join
            windows
            on (follow_ups.purchase_number = 1 and windows.window_days = 365)
            or (follow_ups.purchase_number > 1 and follow_ups.followed_days >= windows.window_days)
        group by 1, 2, 3, 4, 5, 6

    ),

    at_risk as (

        select
            *,
            cast(
                sum(customers) over (
                    partition by
                        dimension_name, dimension_value, cohort_month, purchase_number, window_days
                    order by days desc
                    rows unbounded preceding
                ) as bigint
            ) as at_risk
        from ended

    )

select *, {{ survival() }} as survival, {{ hazard_variance() }} as hazard_variance
from at_risk
window
    curve as (
        partition by dimension_name, dimension_value, cohort_month, purchase_number, window_days
        order by days
        rows between unbounded preceding and current row
    )
