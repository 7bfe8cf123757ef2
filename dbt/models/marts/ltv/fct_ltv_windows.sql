-- Sales of a customer's orders from the first purchase to N days after it, less the refunds of
-- those orders; only customers whose window has ended by as_of.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    customers as (select * from {{ ref("int_customers__acquired") }}),

    windows as (

        {% for days in [0, 30, 60, 90, 180, 365] %}
            select {{ days }} as window_days
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    cells as (

        select
            customers.cohort_month,
            customers.acquisition_channel,
            windows.window_days,
            count(*) as customers,
            count(*) filter (
                where
                    {{ add_days("customers.first_purchase_date", "windows.window_days") }}
                    <= settings.as_of_date
            ) as mature_customers
        from customers
        cross join windows
        cross join settings
        group by customers.cohort_month, customers.acquisition_channel, windows.window_days

    ),

    sales as (

        select
            customers.cohort_month,
            customers.acquisition_channel,
            windows.window_days,
            sum(purchases.net_sales) as net_sales,
            sum(purchases.contribution_margin) as contribution_margin
        from {{ ref("int_purchases__occasions") }} as purchases
        inner join customers on purchases.customer_id = customers.customer_id
        cross join settings
        inner join windows on purchases.days_since_first_purchase <= windows.window_days
        where
            {{ add_days("customers.first_purchase_date", "windows.window_days") }}
            <= settings.as_of_date
        group by customers.cohort_month, customers.acquisition_channel, windows.window_days

    )

select
    cells.cohort_month,
    cells.acquisition_channel,
    cast(cells.window_days as integer) as window_days,
    cast(cells.customers as integer) as customers,
    cast(cells.mature_customers as integer) as mature_customers,
    {{ money("coalesce(sales.net_sales, 0)") }} as net_sales,
    {{ money("coalesce(sales.contribution_margin, 0)") }} as contribution_margin,
    {{ money_per("sales.net_sales", "cells.mature_customers") }} as ltv,
    {{ money_per("sales.contribution_margin", "cells.mature_customers") }} as margin_ltv
from cells
left join
    sales
    on cells.cohort_month = sales.cohort_month
    and cells.acquisition_channel = sales.acquisition_channel
    and cells.window_days = sales.window_days
