-- 1. Each customer counts in an audience from the first export in which he was, or would have been
-- but for being held out, whatever came after.
-- 2. A customer counts for a window when it has ended by as_of. Purchases of the day of contact
-- count: what came before the contact on that day came in both groups alike.
-- 3. Difference of shares: Newcombe's interval. Of net sales: Welch's, by the normal distribution,
-- from thirty customers on in either group.
-- 4. No interval where the groups are not of the sizes that the draw gives them but once in a
-- thousand.
{%- set z = normal_quantile("0.025e0") %}
with

    settings as (select * from {{ ref("int_run__settings") }}),

    windows as (

        select 30 as window_days
        union all
        select 90 as window_days

    ),

    first_contacts as (

        select *
        from {{ ref("int_audiences__contacts") }}
        qualify row_number() over (partition by audience, customer_id order by contact_date) = 1

    ),

    followed as (

        select
            first_contacts.audience,
            first_contacts.customer_id,
            first_contacts.is_holdout,
            first_contacts.holdout_share,
            first_contacts.contact_date,
            windows.window_days,
            {{ add_days("first_contacts.contact_date", "windows.window_days") }} as window_end
        from first_contacts
        cross join windows

    ),

    mature as (

        select followed.*
        from followed
        cross join settings
        where followed.window_end <= settings.as_of_date

    ),

    bought as (

        select
            mature.audience,
            mature.customer_id,
            mature.window_days,
            sum(orders.net_sales) as net_sales
        from mature
        inner join
            {{ ref("int_orders__numbered") }} as numbered
            on mature.customer_id = numbered.customer_id
        inner join {{ ref("int_orders__valued") }} as orders on numbered.order_id = orders.order_id
        where orders.order_date between mature.contact_date and mature.window_end
        group by mature.audience, mature.customer_id, mature.window_days

    ),

    outcomes as (

        select
            followed.audience,
            followed.window_days,
            followed.is_holdout,
            followed.holdout_share,
            mature.customer_id is not null as is_mature,
            bought.customer_id is not null as has_bought,
            case
                when mature.customer_id is not null then coalesce(bought.net_sales, 0)
            end as net_sales
        from followed
        left join
            mature
            on followed.audience = mature.audience
            and followed.customer_id = mature.customer_id
            and followed.window_days = mature.window_days
        left join
            bought
            on followed.audience = bought.audience
            and followed.customer_id = bought.customer_id
            and followed.window_days = bought.window_days

    ),

    groups as (

        select
            audience,
            window_days,
            {% for name, condition in [("exported", "not is_holdout"), ("holdout", "is_holdout")] %}
                count(*) filter (where {{ condition }}) as {{ name }}_customers,
                cast(
                    nullif(count(net_sales) filter (where {{ condition }}), 0) as double
                ) as {{ name }}_mature,
                count(*) filter (where {{ condition }} and has_bought) as {{ name }}_buyers,
                sum(net_sales) filter (where {{ condition }}) as {{ name }}_net_sales,
                {{ square_sum("case when " ~ condition ~ " then net_sales end") }}
                as {{ name }}_squares,
            {% endfor %}
            sum(holdout_share) filter (where is_mature) as expected_holdouts,
            sum(holdout_share * (1 - holdout_share)) filter (where is_mature) as draw_variance
        from outcomes
        group by audience, window_days

    ),

    rates as (

        select
            *,
            {% for name in ["exported", "holdout"] %}
                {{ name }}_buyers / {{ name }}_mature as {{ name }}_rate,
                cast({{ name }}_net_sales as double) / {{ name }}_mature as {{ name }}_mean,
                case
                    when {{ name }}_mature >= 30
                    then
                        greatest(
                            {{ name }}_squares
                            - cast({{ name }}_net_sales as double)
                            * cast({{ name }}_net_sales as double)
                            / {{ name }}_mature,
                            0
                        )
                        / ({{ name }}_mature - 1)
                        / {{ name }}_mature
                end as {{ name }}_variance,
            {% endfor %}
            abs(coalesce(holdout_mature, 0) - expected_holdouts) - 0.5
            > {{ normal_quantile("0.0005e0") }} * sqrt(draw_variance) as is_sample_ratio_off
        from groups

    ),

    bounded as (

        select
            *,
            {% for name in ["exported", "holdout"] %}
                {% for sign, side in [("-", "lower"), ("+", "upper")] %}
                    {{ wilson_bound(name ~ "_rate", name ~ "_mature", z, sign) }}
                    as {{ name }}_{{ side }},
                {% endfor %}
            {% endfor %}
            exported_mean - holdout_mean as sales_difference,
            {{ z }} * sqrt(exported_variance + holdout_variance) as sales_margin
        from rates

    ),

    differing as (

        select
            *,
            exported_rate - holdout_rate as rate_difference,
            exported_rate
            - holdout_rate
            - sqrt(
                power(exported_rate - exported_lower, 2) + power(holdout_upper - holdout_rate, 2)
            ) as rate_difference_lower,
            exported_rate
            - holdout_rate
            + sqrt(
                power(exported_upper - exported_rate, 2) + power(holdout_rate - holdout_lower, 2)
            ) as rate_difference_upper
        from bounded

    )

select
    audience,
    window_days,
    exported_customers,
    holdout_customers,
    cast(coalesce(exported_mature, 0) as bigint) as mature_exported_customers,
    cast(coalesce(holdout_mature, 0) as bigint) as mature_holdout_customers,
    exported_buyers,
    holdout_buyers,
    exported_rate as exported_purchase_rate,
    holdout_rate as holdout_purchase_rate,
    rate_difference as purchase_rate_difference,
    case
        when not is_sample_ratio_off then rate_difference_lower
    end as purchase_rate_difference_lower,
    case
        when not is_sample_ratio_off then rate_difference_upper
    end as purchase_rate_difference_upper,
    exported_mean as exported_net_sales_per_customer,
    holdout_mean as holdout_net_sales_per_customer,
    sales_difference as net_sales_per_customer_difference,
    case
        when not is_sample_ratio_off then sales_difference - sales_margin
    end as net_sales_per_customer_difference_lower,
    case
        when not is_sample_ratio_off then sales_difference + sales_margin
    end as net_sales_per_customer_difference_upper,
    is_sample_ratio_off,
    case
        when exported_mature is null or holdout_mature is null
        then 'not known yet'
        when is_sample_ratio_off
        then 'not to be compared: the groups are not of the sizes drawn'
        when rate_difference_lower > 0
        then 'more bought'
        when rate_difference_upper < 0
        then 'fewer bought'
        else 'no difference shown'
    end as verdict
from differing
