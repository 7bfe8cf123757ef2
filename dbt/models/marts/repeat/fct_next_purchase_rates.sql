{%- set dimensions = repeat_dimensions() -%}
with

    customers as (select * from {{ ref("int_repeat__customers") }}),

    purchases as (

        select
            {% for dimension in dimensions %} customers.{{ dimension }}, {% endfor %}
            customers.cohort_month,
            occasions.purchase_number,
            occasions.days_to_next_purchase
        from {{ ref("int_purchases__occasions") }} as occasions
        inner join customers on occasions.customer_id = customers.customer_id

    ),

    observed as (

        select
            case
                when grouping(cohort_month) = 0
                then 'cohort_month'
                {% for dimension in dimensions %}
                    when grouping({{ dimension }}) = 0 then '{{ dimension }}'
                {% endfor %}
                else 'all'
            end as dimension_name,
            case
                when grouping(cohort_month) = 0
                then cast(cohort_month as string)
                {% for dimension in dimensions %}
                    when grouping({{ dimension }}) = 0
                    then coalesce(cast({{ dimension }} as string), 'unknown')
                {% endfor %}
                else 'all'
            end as dimension_value,
            purchase_number,
            count(*) as reached,
            count(days_to_next_purchase) as continued,
            median(days_to_next_purchase) as median_days
        from purchases
        group by
            grouping sets (
                (purchase_number),
                (cohort_month, purchase_number),
                {% for dimension in dimensions %}
                    ({{ dimension }}, purchase_number) {%- if not loop.last %}, {% endif %}
                {% endfor %}
            )

    ),

    rates as (

        select
            case
                when cohort_month is null then dimension_name else 'cohort_month'
            end as dimension_name,
            coalesce(cast(cohort_month as string), dimension_value) as dimension_value,
            purchase_number,
            {% for days in [90, 180, 365] %}
                {% for column in [
                    "is_shown",
                    "customers",
                    "mature_customers",
                    "at_risk",
                    "rate",
                    "rate_lower",
                    "rate_upper",
                ] %}
                    max(
                        case when window_days = {{ days }} then {{ column }} end
                    ) as {{ column }}_{{ days }}
                    {%- if not loop.last %},{% endif %}
                {% endfor %}
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from {{ ref("int_repeat__rates") }}
        where cohort_month is null or dimension_name = 'all'
        group by 1, 2, 3

    )

select
    observed.dimension_name,
    observed.dimension_value,
    cast(observed.purchase_number as integer) as purchase_number,
    cast(observed.reached as integer) as reached,
    cast(observed.continued as integer) as continued,
    {{ share("observed.continued", "observed.reached") }} as naive_rate,
    cast(observed.median_days as double) as median_days,
    {% for days in [90, 180, 365] %}
        {% set is_shown = "rates.is_shown_" ~ days %}
        cast(coalesce(rates.customers_{{ days }}, 0) as integer) as km_{{ days }}_days_customers,
        cast(
            coalesce(rates.mature_customers_{{ days }}, 0) as integer
        ) as km_{{ days }}_days_mature_customers,
        cast(coalesce(rates.at_risk_{{ days }}, 0) as integer) as km_{{ days }}_days_at_risk,
        case when {{ is_shown }} then rates.rate_{{ days }} end as km_{{ days }}_days_rate,
        case
            when {{ is_shown }} then rates.rate_lower_{{ days }}
        end as km_{{ days }}_days_rate_lower,
        case
            when {{ is_shown }} then rates.rate_upper_{{ days }}
        end as km_{{ days }}_days_rate_upper,
    {% endfor %}
    case
        when observed.purchase_number = 2
        then
            (
                select max(lower_value)
                from {{ ref("industry_benchmarks") }}
                where figure = 'third_purchase_given_second'
            )
    end as benchmark_rate
from observed
left join
    rates
    on observed.dimension_name = rates.dimension_name
    and observed.dimension_value = rates.dimension_value
    and observed.purchase_number = rates.purchase_number
