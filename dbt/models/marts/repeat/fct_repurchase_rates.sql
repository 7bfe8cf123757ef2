-- A customer counts in a rate once the window has ended by as_of (mature).
with

    settings as (select * from {{ ref("int_run__settings") }}),

    customers as (

        select
            'all' as dimension_name,
            'all' as dimension_value,
            {{ month_start("purchase_date") }} as cohort_month,
            purchase_date as first_purchase_date,
            days_to_next_purchase as days_to_second_purchase
        from {{ ref("int_purchases__occasions") }}
        where purchase_number = 1

    ),

    windows as (

        {% for days in [30, 60, 90, 180, 365] %}
            select {{ days }} as window_days
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    counted as (

        select
            customers.dimension_name,
            customers.dimension_value,
            customers.cohort_month,
            windows.window_days,
            count(*) as customers,
            count(*) filter (
                where
                    {{ add_days("customers.first_purchase_date", "windows.window_days") }}
                    <= settings.as_of_date
            ) as mature_customers,
            count(*) filter (
                where
                    {{ add_days("customers.first_purchase_date", "windows.window_days") }}
                    <= settings.as_of_date
                    and customers.days_to_second_purchase <= windows.window_days
            ) as repurchased
        from customers
        cross join windows
        cross join settings
        group by
            customers.dimension_name,
            customers.dimension_value,
            customers.cohort_month,
            windows.window_days

    )

select
    dimension_name,
    dimension_value,
    cohort_month,
    cast(window_days as integer) as window_days,
    cast(customers as integer) as customers,
    cast(mature_customers as integer) as mature_customers,
    cast(repurchased as integer) as repurchased,
    {{ share("repurchased", "mature_customers") }} as repurchase_rate
from counted
