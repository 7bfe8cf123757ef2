with

    settings as (select * from {{ ref("int_run__settings") }}),

    customers as (select * from {{ ref("int_customers__acquired") }}),

    repeats as (

        select
            customer_id,
            max(days_since_first_purchase) as recency_days,
            count(*) filter (
                where purchase_number > 1 and sales_before_refunds > 0
            ) as valued_repeats,
            sum(sales_before_refunds) filter (
                where purchase_number > 1 and sales_before_refunds > 0
            ) as repeat_sales
        from {{ ref("int_purchases__occasions") }}
        group by customer_id

    )

select
    customers.customer_id,
    customers.cohort_month,
    customers.acquisition_channel,
    customers.purchase_count - 1 as frequency,
    repeats.recency_days,
    {{ days_between("customers.first_purchase_date", "settings.as_of_date") }} as age_days,
    repeats.valued_repeats,
    {{ money("coalesce(repeats.repeat_sales, 0)") }} as repeat_sales
from customers
inner join repeats on customers.customer_id = repeats.customer_id
cross join settings
