-- 1. Opportunities of past cut-offs beside the rival categories of the same customers. Each is
-- compared with himself: the variance of the difference is that of what each adds to it.
-- 2. The second and third of a good order are worse than a rival's for being in the right place, so
-- that the first and all together are compared.
with

    outcomes as (

        select
            opportunities.cut_off_date,
            opportunities.customer_id,
            opportunities.opportunity_rank,
            opportunities.probability,
            opportunities.expected_value,
            case when opportunities.has_bought then 1 else 0 end as bought,
            case when rivals.has_bought then 1 else 0 end as rival_bought,
            coalesce(opportunities.margin, 0) as margin,
            coalesce(rivals.margin, 0) as rival_margin
        from {{ ref("int_cross_sell__opportunities") }} as opportunities
        inner join
            {{ ref("int_cross_sell__rivals") }} as rivals
            on opportunities.cut_off_date = rivals.cut_off_date
            and opportunities.customer_id = rivals.customer_id
            and opportunities.opportunity_rank = rivals.opportunity_rank

    ),

    graded as (

        select *, cast(opportunity_rank as string) as rank_group
        from outcomes
        union all
        select *, 'all' as rank_group
        from outcomes

    ),

    by_customer as (

        select
            cut_off_date,
            rank_group,
            customer_id,
            count(*) as opportunities,
            {{ exact_sum("probability") }} as predicted,
            sum(expected_value) as expected_margin,
            sum(bought) as bought,
            sum(rival_bought) as rival_bought,
            sum(margin) as margin,
            sum(rival_margin) as rival_margin
        from graded
        group by cut_off_date, rank_group, customer_id

    ),

    summed as (

        select
            cut_off_date,
            rank_group,
            count(*) as customers,
            cast(sum(opportunities) as double) as opportunities,
            {{ exact_sum("predicted") }} as predicted,
            sum(bought) as bought,
            sum(rival_bought) as rival_bought,
            {{ money("sum(expected_margin)") }} as expected_margin,
            {{ money("sum(margin)") }} as margin,
            {{ money("sum(rival_margin)") }} as rival_margin,
            cast(sum(opportunities * opportunities) as double) as opportunity_squares
            {% for measure, difference in [
                ("rate", "(bought - rival_bought)"),
                ("margin", money("margin - rival_margin")),
            ] %}
                ,
                cast(sum({{ difference }}) as double) as {{ measure }}_gain,
                {{ square_sum(difference) }} as {{ measure }}_gain_squares,
                cast(sum({{ difference }} * opportunities) as double) as {{ measure }}_gain_products
            {% endfor %}
        from by_customer
        group by cut_off_date, rank_group

    ),

    compared as (

        select
            *,
            bought / opportunities as rate,
            rival_bought / opportunities as rival_rate,
            rank_group in ('1', 'all') as is_compared,
            rank_group in ('1', 'all') and bought + rival_bought >= 10 as is_graded
            {% for measure in ["rate", "margin"] %}
                {% set mean = measure ~ "_gain / opportunities" %},
                {{ mean }} as {{ measure }}_difference,
                {{ normal_quantile("0.025e0") }} * sqrt(
                    greatest(
                        {{ measure }}_gain_squares
                        - 2 * {{ mean }} * {{ measure }}_gain_products
                        + {{ mean }} * {{ mean }} * opportunity_squares,
                        0
                    )
                )
                / opportunities as {{ measure }}_error
            {% endfor %}
        from summed

    )

select
    cut_off_date,
    rank_group as opportunity_rank,
    cast(customers as integer) as customers,
    cast(opportunities as integer) as opportunities,
    predicted as predicted_purchases,
    cast(bought as integer) as purchases,
    predicted / opportunities as predicted_rate,
    rate as purchase_rate,
    {% for bound, sign in [("lower", "-"), ("upper", "+")] %}
        {{ wilson_bound("rate", "opportunities", normal_quantile("0.025e0"), sign) }}
        as purchase_rate_{{ bound }},
    {% endfor %}
    expected_margin,
    margin as actual_margin,
    cast(rival_bought as integer) as rival_purchases,
    rival_rate as rival_purchase_rate,
    rival_margin,
    {% for measure in ["rate", "margin"] %}
        case when is_graded then {{ measure }}_difference end as {{ measure }}_difference,
        case
            when is_graded then {{ measure }}_difference - {{ measure }}_error
        end as {{ measure }}_difference_lower,
        case
            when is_graded then {{ measure }}_difference + {{ measure }}_error
        end as {{ measure }}_difference_upper,
    {% endfor %}
    case
        when not is_compared
        then 'compared as the first and all together'
        when not is_graded
        then 'not graded: fewer than 10 purchases'
        else
            {% for measure, words in [("rate", " by purchases, "), ("margin", " by margin")] %}
                case
                    when {{ measure }}_difference > {{ measure }}_error
                    then 'better'
                    when - {{ measure }}_difference > {{ measure }}_error
                    then 'worse'
                    else 'not better'
                end
                || '{{ words }}'
                {% if not loop.last %} ||{% endif %}
            {% endfor %}
    end as verdict,
    case when is_graded then rate_difference > rate_error end as is_better,
    case when is_graded then margin_difference > margin_error end as is_better_by_margin
from compared
