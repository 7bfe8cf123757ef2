with

    settings as (select * from {{ ref("int_run__settings") }}),

    purchases as (select * from {{ ref("int_purchases__occasions") }}),

    windows as (

        {% for days in [30, 60, 90, 180, 365] %}
            select cast({{ days }} as integer) as window_days
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    numbers as (

        {% for number in [2, 3, 4] %}
            select cast({{ number }} as integer) as purchase_number
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    last_month as (

        select
            max(period_start) as month_start,
            coalesce(
                substr(cast(max(period_start) as string), 1, 7), '(none has ended yet)'
            ) as month_name
        from {{ ref("int_calendar__periods") }}
        where period_type = 'month' and is_complete

    ),

    repurchase as (

        select windows.window_days as days, rates.*
        from windows
        left join
            {{ ref("fct_repurchase_rates") }} as rates
            on windows.window_days = rates.window_days
            and rates.dimension_name = 'all'
            and rates.cohort_month is null

    ),

    next_purchase as (

        select numbers.purchase_number as number, rates.*
        from numbers
        left join
            {{ ref("fct_next_purchase_rates") }} as rates
            on numbers.purchase_number = rates.purchase_number
            and rates.dimension_name = 'all'

    ),

    ever as (

        select
            count(*) as customers,
            count(*) filter (where purchase_count > 1) as with_two_purchases,
            count(*) filter (where order_count > 1) as with_two_orders,
            sum(purchase_count) as purchases
        from {{ ref("int_customers__acquired") }}

    ),

    last_year as (

        select
            purchases.customer_id,
            count(*) as purchases,
            max(purchases.purchase_number) as last_purchase_number,
            sum(purchases.orders) as orders
        from purchases
        cross join settings
        where purchases.purchase_date > {{ add_days("settings.as_of_date", -365) }}
        group by purchases.customer_id

    ),

    rolling as (

        select
            count(*) as customers,
            count(*) filter (where purchases > 1) as with_two_purchases,
            count(*) filter (where last_purchase_number > 1 or orders > 1) as returning_customers
        from last_year

    ),

    revenue as (

        select sum(net_sales) as net_sales, sum(repeat_net_sales) as repeat_net_sales
        from {{ ref("fct_repeat_revenue_monthly") }}

    ),

    month_revenue as (

        select last_month.month_name, monthly.*
        from last_month
        left join
            {{ ref("fct_repeat_revenue_monthly") }} as monthly
            on last_month.month_start = monthly.month

    ),

    month_growth as (

        select
            last_month.month_name,
            growth.returning_customers,
            growth.returning_customers + growth.dormant_customers as customers
        from last_month
        left join
            {{ ref("fct_growth_accounting") }} as growth
            on last_month.month_start = growth.period_start
            and growth.period_type = 'month'

    ),

    cohorts as (

        {% for number in [1, 3, 12] %}
            select {{ number }} as months, last_month.month_name, cohorts.*
            from last_month
            left join
                {{ ref("fct_retention_cohorts") }} as cohorts
                on {{ add_months("last_month.month_start", -number) }} = cohorts.cohort_month
                and cohorts.month_since = {{ number }}
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}

    ),

    listed as (

        select
            'repurchase_rate_' || days || '_days' as rate_name,
            'mature' as rule_name,
            'Second purchase occasion within the window / customers whose window has ended.'
            as rule,
            days || ' days from the first purchase' as measured_over,
            repurchase_rate as value,
            mature_customers as customers,
            mature_customers,
            'fct_repurchase_rates' as table_name
        from repurchase
        union all
        select
            'km_repurchase_rate_' || days || '_days',
            'corrected',
            'Share with a second purchase occasion within the window, by Kaplan-Meier: all customers'
            || ' count for as long as they have been followed.',
            days || ' days from the first purchase',
            km_repurchase_rate,
            customers,
            mature_customers,
            'fct_repurchase_rates'
        from repurchase
        union all
        select
            'naive_repurchase_rate_' || days || '_days',
            'naive',
            'Second purchase occasion within the window so far / all customers, however young.',
            days || ' days from the first purchase',
            naive_repurchase_rate,
            customers,
            cast(null as integer),
            'fct_repurchase_rates'
        from repurchase
        union all
        select
            'naive_next_purchase_rate_' || number,
            'naive',
            'Customers with a purchase occasion after this one / customers with this one, so far.',
            'purchase ' || number || ' to ' || (number + 1) || ', until as_of',
            naive_rate,
            reached,
            cast(null as integer),
            'fct_next_purchase_rates'
        from next_purchase
        {% for days in [90, 180, 365] %}
            union all
            select
                'km_next_purchase_rate_' || number || '_{{ days }}_days',
                'corrected',
                'Share with a further purchase occasion within the window, by Kaplan-Meier, of those'
                || ' who reached this one within 180 days of the first and could be followed.',
                'purchase ' || number || ' to ' || (number + 1) || ', {{ days }} days',
                km_{{ days }}_days_rate,
                km_{{ days }}_days_customers,
                km_{{ days }}_days_mature_customers,
                'fct_next_purchase_rates'
            from next_purchase
        {% endfor %}
        union all
        select
            'repeat_customer_rate',
            'cumulative',
            'Customers with two purchase occasions or more / customers.',
            'until as_of',
            {{ share("with_two_purchases", "customers") }},
            customers,
            cast(null as integer),
            'dim_customers'
        from ever
        union all
        select
            'repeat_customer_rate_by_orders',
            'cumulative',
            'Customers with two orders or more, those of one day included / customers.',
            'until as_of',
            {{ share("with_two_orders", "customers") }},
            customers,
            cast(null as integer),
            'dim_customers'
        from ever
        union all
        select
            'repeat_purchase_share',
            'cumulative',
            'Second and later purchase occasions / all purchase occasions.',
            'until as_of',
            {{ share("purchases - customers", "purchases") }},
            customers,
            cast(null as integer),
            'dim_customers'
        from ever
        union all
        select
            'repeat_customer_rate_365_days',
            'rolling',
            'Customers with two purchase occasions or more in the period / customers of the period.',
            'the 365 days until as_of',
            {{ share("with_two_purchases", "customers") }},
            customers,
            cast(null as integer),
            'fct_orders'
        from rolling
        union all
        select
            'returning_customer_rate_365_days',
            'Shopify',
            'Customers of the period with an order in it that was not their first / customers of the'
            || ' period.',
            'the 365 days until as_of',
            {{ share("returning_customers", "customers") }},
            customers,
            cast(null as integer),
            'fct_orders'
        from rolling
        union all
        select
            'returning_customer_rate',
            'Shopify',
            'Customers of the period with an order in it that was not their first / customers of the'
            || ' period.',
            'the month ' || month_name,
            returning_customer_rate,
            customers,
            cast(null as integer),
            'fct_repeat_revenue_monthly'
        from month_revenue
        union all
        select
            'repeat_revenue_share',
            'calendar',
            'Net sales of second and later purchase occasions / all net sales.',
            'the month ' || month_name,
            repeat_revenue_share,
            customers,
            cast(null as integer),
            'fct_repeat_revenue_monthly'
        from month_revenue
        union all
        select
            'repeat_revenue_share_ever',
            'cumulative',
            'Net sales of second and later purchase occasions / all net sales.',
            'until as_of',
            {{ share("repeat_net_sales", "case when net_sales > 0 then net_sales end") }},
            ever.customers,
            cast(null as integer),
            'fct_repeat_revenue_monthly'
        from revenue
        cross join ever
        union all
        select
            'month_over_month_retention',
            'calendar',
            'Customers who bought in the month before and in this one / those of the month before.',
            'the month ' || month_name,
            {{ share("returning_customers", "customers") }},
            customers,
            cast(null as integer),
            'fct_growth_accounting'
        from month_growth
        {% for rate, rule_name, rule in [
                (
                    "retention_in_month",
                    "calendar",
                    "Customers of the cohort who bought in the month / customers of the cohort.",
                ),
                (
                    "retention_from_month",
                    "rolling",
                    "Customers of the cohort who bought in the month or later / customers of the cohort; it can still grow.",
                ),
                (
                    "order_retention",
                    "calendar",
                    "Orders of the cohort in the month / its orders in the month of the first purchase.",
                ),
                (
                    "net_sales_retention",
                    "calendar",
                    "Net sales of the cohort in the month / those in the month of the first purchase.",
                ),
            ] %}
            union all
            select
                '{{ rate }}_' || months,
                '{{ rule_name }}',
                '{{ rule }}',
                'month ' || months || ' after the first purchase: ' || month_name,
                {{ rate }},
                customers,
                cast(null as integer),
                'fct_retention_cohorts'
            from cohorts
        {% endfor %}

    )

select
    rate_name,
    rule_name,
    rule,
    measured_over,
    value,
    cast(coalesce(customers, 0) as integer) as customers,
    cast(mature_customers as integer) as mature_customers,
    table_name
from listed
