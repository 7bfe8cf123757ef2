with

    settings as (select * from {{ ref("int_run__settings") }}),

    rates as (

        select
            dimension_value,
            max(customers) as customers,
            {% for days in [90, 180, 365] %}
                {% set is_shown = "window_days = " ~ days ~ " and is_shown" %}
                max(case when {{ is_shown }} then rate end) as km_{{ days }}_days_rate,
                max(case when {{ is_shown }} then rate_lower end) as km_{{ days }}_days_rate_lower,
                max(case when {{ is_shown }} then rate_upper end) as km_{{ days }}_days_rate_upper
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from {{ ref("int_repeat__rates") }}
        where
            dimension_name = 'first_categories'
            and dimension_value <> 'unknown'
            and cohort_month is null
            and purchase_number = 1
        group by dimension_value

    ),

    sales as (

        select
            cast(customers.first_categories as string) as dimension_value,
            count(*) as mature_customers,
            sum(sales.net_sales_365_days) as net_sales
        from {{ ref("int_repeat__customers") }} as customers
        inner join
            {{ ref("int_repeat__values") }} as sales on customers.customer_id = sales.customer_id
        cross join settings
        where {{ add_days("customers.first_purchase_date", 365) }} <= settings.as_of_date
        group by customers.first_categories

    )

select
    cast(rates.dimension_value as integer) as first_categories,
    cast(rates.customers as integer) as customers,
    {% for days in [90, 180, 365] %}
        rates.km_{{ days }}_days_rate,
        rates.km_{{ days }}_days_rate_lower,
        rates.km_{{ days }}_days_rate_upper,
    {% endfor %}
    cast(coalesce(sales.mature_customers, 0) as integer) as mature_customers_365_days,
    {{ money_per("sales.net_sales", "sales.mature_customers") }} as ltv_365_days
from rates
left join sales on rates.dimension_value = sales.dimension_value
