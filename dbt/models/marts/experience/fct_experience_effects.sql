-- Bounds of a difference square and add the distances of both arms' own (Newcombe).
with

    rates as (

        select
            experience_type,
            experience_value,
            purchase_number,
            window_days,
            customers,
            excluded_customers,
            mature_customers,
            at_risk,
            is_reference,
            case when is_shown then rate end as rate,
            case when is_shown then rate_lower end as rate_lower,
            case when is_shown then rate_upper end as rate_upper
        from {{ ref("int_experience__rates") }}

    ),

    compared as (

        select
            *,
            {% for measure in ["rate", "rate_lower", "rate_upper"] %}
                max(case when is_reference then {{ measure }} end) over (
                    partition by experience_type, purchase_number, window_days
                ) as reference_{{ measure }}
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from rates

    ),

    differences as (

        select
            *,
            case when not is_reference then rate - reference_rate end as rate_difference,
            sqrt(
                power(rate - rate_lower, 2) + power(reference_rate_upper - reference_rate, 2)
            ) as error_below,
            sqrt(
                power(rate_upper - rate, 2) + power(reference_rate - reference_rate_lower, 2)
            ) as error_above
        from compared

    )

select
    experience_type,
    experience_value,
    cast(purchase_number as integer) as purchase_number,
    window_days,
    cast(customers as integer) as customers,
    cast(excluded_customers as integer) as excluded_customers,
    cast(mature_customers as integer) as mature_customers,
    cast(at_risk as integer) as at_risk,
    is_reference,
    rate as km_rate,
    rate_lower as km_rate_lower,
    rate_upper as km_rate_upper,
    rate_difference,
    rate_difference - error_below as rate_difference_lower,
    rate_difference + error_above as rate_difference_upper
from differences
