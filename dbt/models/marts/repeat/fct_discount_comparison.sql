-- 1. Customers are compared within strata of the same month and acquisition channel. A stratum
-- counts where both arms were followed to the window's end, however small they are; its own figures
-- are shown from ten in each arm on.
-- 2. All strata together are weighted by their customers acquired at a discount: what these do,
-- beside what customers of the same months and channels did who paid the full price.
-- 3. Bounds of a difference of rates square and add the distances of both arms' own (Newcombe). A
-- stratum has those of its life tables; all together have Wilson's for as many customers as the
-- weights leave of them.
-- 4. The variance of a value is pooled within the strata: one customer alone has none.
{%- set arms = [
    ("discount", "is_discount_acquired"),
    ("full_price", "not is_discount_acquired"),
] -%}
{%- set counts = ["customers", "mature_customers"] -%}
{%- set measures = ["rate", "rate_lower", "rate_upper", "ltv", "value_variance"] -%}
{%- set z = "1.959963984540054e0" %}
with

    strata as (

        select
            cohort_month,
            acquisition_channel,
            window_days,
            {% for arm, condition in arms %}
                {% for count in counts %}
                    coalesce(
                        max(case when {{ condition }} then {{ count }} end), 0
                    ) as {{ arm }}_{{ count }},
                {% endfor %}
                {% for measure in measures %}
                    max(
                        case when {{ condition }} then {{ measure }} end
                    ) as {{ arm }}_{{ measure }},
                {% endfor %}
            {% endfor %}
            case
                when count(*) = 1
                then 'one arm only'
                when sum(case when is_followed then 1 else 0 end) < 2
                then 'not followed to the end of the window'
            end as dropped_reason,
            sum(case when is_shown then 1 else 0 end) = 2 as is_shown
        from {{ ref("int_repeat__discount_arms") }}
        group by cohort_month, acquisition_channel, window_days

    ),

    weighted as (

        select
            *,
            case when dropped_reason is null then 1 else 0 end as is_kept,
            case
                when dropped_reason is null
                then
                    cast(
                        discount_customers as double
                    ) / sum(case when dropped_reason is null then discount_customers end) over (
                        partition by window_days
                    )
            end as weight
        from strata

    ),

    totals as (

        select
            window_days,
            sum(is_kept) as strata,
            sum(1 - is_kept) as dropped_strata,
            sum((1 - is_kept) * (discount_customers + full_price_customers)) as dropped_customers
            {%- for arm, _ in arms %}
                ,
                {% for count in counts %}
                    sum(is_kept * {{ arm }}_{{ count }}) as {{ arm }}_{{ count }},
                {% endfor %}
                {{ exact_sum("weight * " ~ arm ~ "_rate") }} as {{ arm }}_rate,
                {{ exact_sum("weight * " ~ arm ~ "_ltv", 12) }} as {{ arm }}_ltv,
                1
                / {{ exact_sum("weight * weight / " ~ arm ~ "_mature_customers") }}
                as {{ arm }}_left,
                {{
                    exact_sum(
                        "is_kept * ("
                        ~ arm
                        ~ "_mature_customers - 1) * "
                        ~ arm
                        ~ "_value_variance",
                        12,
                    )
                }} / nullif(
                    sum(
                        case
                            when {{ arm }}_value_variance is not null
                            then is_kept * ({{ arm }}_mature_customers - 1)
                        end
                    ),
                    0
                ) as {{ arm }}_value_variance
            {%- endfor %}
        from weighted
        group by window_days

    ),

    compared as (

        select
            cohort_month,
            acquisition_channel,
            window_days,
            case
                when dropped_reason is not null
                then dropped_reason
                when not is_shown
                then 'fewer than ten in an arm'
            end as empty_reason,
            is_kept as strata,
            1 - is_kept as dropped_strata,
            (1 - is_kept) * (discount_customers + full_price_customers) as dropped_customers,
            {% for arm, _ in arms %}
                {% for count in counts %} {{ arm }}_{{ count }}, {% endfor %}
                {{ arm }}_rate,
                {{ arm }}_rate_lower,
                {{ arm }}_rate_upper,
                {{ arm }}_ltv,
                {{ arm }}_value_variance
                / nullif({{ arm }}_mature_customers, 0) as {{ arm }}_ltv_variance
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from weighted
        union all
        select
            cast(null as date) as cohort_month,
            'all' as acquisition_channel,
            window_days,
            case
                when strata = 0
                then 'no stratum can be compared'
                when least(discount_mature_customers, full_price_mature_customers) < 10
                then 'fewer than ten in an arm'
            end as empty_reason,
            strata,
            dropped_strata,
            dropped_customers,
            {% for arm, _ in arms %}
                {% for count in counts %} {{ arm }}_{{ count }}, {% endfor %}
                {{ arm }}_rate,
                {% for bound, sign in [("lower", "-"), ("upper", "+")] %}
                    {{ wilson_bound(arm ~ "_rate", arm ~ "_left", z, sign) }}
                    as {{ arm }}_rate_{{ bound }},
                {% endfor %}
                {{ arm }}_ltv,
                {{ arm }}_value_variance / {{ arm }}_left as {{ arm }}_ltv_variance
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from totals

    ),

    shown as (

        select
            cohort_month,
            acquisition_channel,
            window_days,
            empty_reason,
            strata,
            dropped_strata,
            dropped_customers
            {%- for arm, _ in arms %}
                ,
                {% for count in counts %} {{ arm }}_{{ count }}, {% endfor %}
                {% for measure in ["rate", "rate_lower", "rate_upper", "ltv", "ltv_variance"] %}
                    case
                        when empty_reason is null then {{ arm }}_{{ measure }}
                    end as {{ arm }}_{{ measure }}
                    {%- if not loop.last %},{% endif %}
                {% endfor %}
            {%- endfor %}
        from compared

    ),

    differences as (

        select
            *,
            discount_rate - full_price_rate as rate_difference,
            sqrt(
                power(discount_rate - discount_rate_lower, 2)
                + power(full_price_rate_upper - full_price_rate, 2)
            ) as rate_error_below,
            sqrt(
                power(discount_rate_upper - discount_rate, 2)
                + power(full_price_rate - full_price_rate_lower, 2)
            ) as rate_error_above,
            {{ money("discount_ltv") }} - {{ money("full_price_ltv") }} as ltv_difference,
            {{ z }} * sqrt(nullif(discount_ltv_variance + full_price_ltv_variance, 0)) as ltv_error
        from shown

    )

select
    cohort_month,
    acquisition_channel,
    cast(window_days as integer) as window_days,
    empty_reason,
    {% for count in [
        "strata",
        "dropped_strata",
        "dropped_customers",
        "discount_customers",
        "full_price_customers",
        "discount_mature_customers",
        "full_price_mature_customers",
    ] %}
        cast({{ count }} as integer) as {{ count }},
    {% endfor %}
    discount_rate as discount_km_rate,
    full_price_rate as full_price_km_rate,
    rate_difference,
    rate_difference - rate_error_below as rate_difference_lower,
    rate_difference + rate_error_above as rate_difference_upper,
    {{ money("discount_ltv") }} as discount_ltv,
    {{ money("full_price_ltv") }} as full_price_ltv,
    {{ money("ltv_difference") }} as ltv_difference,
    {{ money("ltv_difference - ltv_error") }} as ltv_difference_lower,
    {{ money("ltv_difference + ltv_error") }} as ltv_difference_upper
from differences
