-- Customers acquired at a discount, and those who paid the full price, by month and channel.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    customers as (select * from {{ ref("int_repeat__customers") }}),

    rates as (

        select
            dimension_name = 'channel_at_discount' as is_discount_acquired,
            cohort_month,
            dimension_value as acquisition_channel,
            window_days,
            customers,
            mature_customers,
            is_followed,
            is_shown,
            rate,
            rate_lower,
            rate_upper
        from {{ ref("int_repeat__rates") }}
        where
            dimension_name in ('channel_at_discount', 'channel_at_full_price')
            and cohort_month is not null
            and window_days >= 90

    ),

    sums as (

        {% for days in [90, 180, 365] %}
            {% set value = "sales.net_sales_" ~ days ~ "_days" %}
            select
                customers.is_discount_acquired,
                customers.cohort_month,
                customers.acquisition_channel,
                {{ days }} as window_days,
                cast(count(*) as double) as customers,
                cast(sum({{ value }}) as double) as value_sum,
                {{ square_sum(value) }} as square_sum
            from customers
            inner join
                {{ ref("int_repeat__values") }} as sales
                on customers.customer_id = sales.customer_id
            cross join settings
            where {{ add_days("customers.first_purchase_date", days) }} <= settings.as_of_date
            group by
                customers.is_discount_acquired,
                customers.cohort_month,
                customers.acquisition_channel
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    sales as (

        select
            is_discount_acquired,
            cohort_month,
            acquisition_channel,
            window_days,
            value_sum / customers as ltv,
            case
                when customers = 1
                then null
                when square_sum - value_sum * value_sum / customers < 1e-12 * square_sum
                then 0
                else (square_sum - value_sum * value_sum / customers) / (customers - 1)
            end as value_variance
        from sums

    )

select rates.*, sales.ltv, sales.value_variance
from rates
left join
    sales
    on rates.is_discount_acquired = sales.is_discount_acquired
    and rates.cohort_month = sales.cohort_month
    and rates.acquisition_channel = sales.acquisition_channel
    and rates.window_days = sales.window_days
