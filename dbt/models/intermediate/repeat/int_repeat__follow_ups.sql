-- How long customers were followed after a purchase, and after how many days the next one came.
-- 1. The first purchase always counts; without a second it is followed until as_of, else it is
-- enough to know which windows have ended.
-- 2. The n-th one, n >= 2, counts where it fell within 180 days of the first, for windows that had
-- ended by as_of for whoever bought so late: a young history would else hold none but the fast
-- buyers. So nobody is censored within a window, and days matter only around the windows' ends.
{%- set dimensions = repeat_dimensions() -%}
{%- set outcome = "followed_days, days_to_next_purchase" %}
with

    settings as (select * from {{ ref("int_run__settings") }}),

    customers as (select * from {{ ref("int_repeat__customers") }}),

    aged as (

        select
            customers.*,
            {{ days_between("customers.first_purchase_date", "settings.as_of_date") }} as age_days
        from customers
        cross join settings

    ),

    firsts as (

        select
            *,
            cast(
                case
                    when days_to_second_purchase is null
                    then least(age_days, 365)
                    {% for days in [365, 180, 90, 60, 30] %}
                        when age_days >= {{ days }} then {{ days }}
                    {% endfor %}
                    else 0
                end as integer
            ) as followed_days,
            days_to_second_purchase as days_to_next_purchase
        from aged

    ),

    laters as (

        select
            aged.*,
            occasions.purchase_number,
            cast(
                case
                    {% for days in [365, 180, 90] %}
                        when aged.age_days >= 180 + {{ days }} then {{ days }}
                    {% endfor %}
                end as integer
            ) as followed_days,
            cast(
                case
                    {% for days in [90, 180, 365] %}
                        when occasions.days_to_next_purchase < {{ days }}
                        then {{ days - 1 }}
                        when occasions.days_to_next_purchase = {{ days }}
                        then {{ days }}
                    {% endfor %}
                end as integer
            ) as days_to_next_purchase
        from {{ ref("int_purchases__occasions") }} as occasions
        inner join aged on occasions.customer_id = aged.customer_id
        where
            occasions.purchase_number > 1
            and occasions.days_since_first_purchase <= 180
            and aged.age_days >= 180 + 90

    ),

    counted as (

        select
            'all' as dimension_name,
            'all' as dimension_value,
            cohort_month,
            1 as purchase_number,
            {{ outcome }},
            count(*) as customers
        from firsts
        group by cohort_month, {{ outcome }}
        union all
        select
            case
                when is_discount_acquired then 'channel_at_discount' else 'channel_at_full_price'
            end,
            acquisition_channel,
            cohort_month,
            1,
            {{ outcome }},
            count(*)
        from firsts
        where is_discount_acquired is not null
        group by is_discount_acquired, acquisition_channel, cohort_month, {{ outcome }}
        union all
        select 'all', 'all', cast(null as date), purchase_number, {{ outcome }}, count(*)
        from laters
        group by purchase_number, {{ outcome }}
        union all
        select 'all', 'all', cohort_month, purchase_number, {{ outcome }}, count(*)
        from laters
        group by cohort_month, purchase_number, {{ outcome }}
        {% for dimension in dimensions %}
            union all
            select
                '{{ dimension }}',
                coalesce(cast({{ dimension }} as string), 'unknown'),
                cohort_month,
                1,
                {{ outcome }},
                count(*)
            from firsts
            group by {{ dimension }}, cohort_month, {{ outcome }}
            union all
            select
                '{{ dimension }}',
                coalesce(cast({{ dimension }} as string), 'unknown'),
                cast(null as date),
                purchase_number,
                {{ outcome }},
                count(*)
            from laters
            group by {{ dimension }}, purchase_number, {{ outcome }}
        {% endfor %}

    )

select *
from counted
union all
select
    dimension_name,
    dimension_value,
    cast(null as date) as cohort_month,
    purchase_number,
    {{ outcome }},
    sum(customers) as customers
from counted
where purchase_number = 1
group by dimension_name, dimension_value, purchase_number, {{ outcome }}
