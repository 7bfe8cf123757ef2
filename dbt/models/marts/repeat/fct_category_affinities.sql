-- 1. p_value: the hypergeometric probability of the pair's customers or more, given both margins.
-- 2. Probabilities are summed away from the expected count: from the customers upwards where they
-- are more than expected, else from one below them downwards, and that sum is taken from 1.
-- 3. The first one is computed, each next one follows from the ratio of the two.
-- 4. 20 + 8 standard deviations further on, less than 1e-12 of the sum is left: a hypergeometric
-- count is a sum of independent indicators, so Bernstein's inequality holds.
-- 5. lift_lower: Wilson's bounds of the confidence and of the share that it is divided by, their
-- distances squared and added on the logarithm.
-- 6. q_value: Benjamini-Hochberg over all pairs of two categories of which one customer or more is
-- expected.
{%- set z = "1.959963984540054e0" -%}
{%- set cells = {
    "both_categories": "in_first * in_second",
    "only_first": "in_first * not_second",
    "only_second": "not_first * in_second",
    "neither": "not_first * not_second",
} %}
with

    pairs as (

        select
            *,
            first_category = second_category as is_same_category,
            cast(first_customers as double)
            * second_customers
            / transition_customers as expected_customers
        from {{ ref("int_repeat__category_pairs") }}

    ),

    starts as (

        select
            *,
            customers > expected_customers as is_above,
            cast(
                case
                    when customers > expected_customers then customers else customers - 1
                end as double
            ) as both_categories,
            cast(first_customers as double) as in_first,
            cast(second_customers as double) as in_second,
            cast(transition_customers as double) as in_all
        from pairs
        where expected_customers >= 1

    ),

    fourfold as (

        select
            *,
            in_first - both_categories as only_first,
            in_second - both_categories as only_second,
            in_all - in_first - in_second + both_categories as neither,
            in_all - in_first as not_first,
            in_all - in_second as not_second
        from starts

    ),

    tails as (

        select
            first_category,
            second_category,
            {% for margin in ["in_first", "in_second", "not_first", "not_second"] %}
                + {{ stirling_remainder(margin) }}
            {% endfor %}
            {% for cell, margins in cells.items() %}
                - {{ stirling_remainder(cell) }} - {{ count_deviance(cell, margins ~ " / in_all") }}
            {% endfor %}
            - {{ stirling_remainder("in_all") }} as log_probability,
            case when is_above then both_categories else only_first end as rising,
            case when is_above then neither else only_second end as other_rising,
            case when is_above then only_first else both_categories end as falling,
            case when is_above then only_second else neither end as other_falling,
            20
            + 8
            * sqrt(in_first * in_second * not_first * not_second / power(in_all, 3)) as last_step
        from fourfold
        where both_categories >= 0 and neither >= 0

    ),

    steps as (

        select
            *,
            {{
                numbers_between(
                    "cast(0 as bigint)",
                    "cast(floor(least(falling, other_falling, last_step)) as bigint)",
                )
            }} as step
        from tails

    ),

    probabilities as (

        select
            first_category,
            second_category,
            step,
            exp(
                sum(
                    case
                        when step = 0
                        then log_probability
                        else
                            ln(
                                (falling - step + 1)
                                * (other_falling - step + 1)
                                / ((rising + step) * (other_rising + step))
                            )
                    end
                ) over (
                    partition by first_category, second_category
                    order by step
                    rows unbounded preceding
                )
            ) as probability
        from steps

    ),

    sums as (

        select first_category, second_category, max(running_sum) as tail
        from
            (
                select
                    first_category,
                    second_category,
                    sum(probability) over (
                        partition by first_category, second_category
                        order by step
                        rows unbounded preceding
                    ) as running_sum
                from probabilities
            )
        group by first_category, second_category

    ),

    tested as (

        select
            pairs.*,
            pairs.expected_customers >= 1 and not pairs.is_same_category as is_in_family,
            case
                when pairs.expected_customers < 1
                then null
                when pairs.customers > pairs.expected_customers
                then sums.tail
                else 1 - coalesce(sums.tail, 0)
            end as p_value
        from pairs
        left join
            sums
            on pairs.first_category = sums.first_category
            and pairs.second_category = sums.second_category

    ),

    ranked as (

        select
            *,
            p_value
            * count(*) over (partition by is_in_family)
            / count(*) over (partition by is_in_family order by p_value nulls last) as adjusted
        from tested

    ),

    shares as (

        select
            *,
            {{ share("customers", "transition_customers") }} as support,
            {{ share("customers", "first_customers") }} as confidence,
            {{ share("second_customers", "transition_customers") }} as margin
        from ranked

    )

select
    first_category,
    second_category,
    is_same_category,
    customers,
    first_customers,
    second_customers,
    transition_customers,
    expected_customers,
    support,
    confidence,
    customers / expected_customers as lift,
    case
        when expected_customers < 1
        then null
        when customers = 0
        then 0
        else
            customers
            / expected_customers
            * exp(
                - sqrt(
                    power(
                        ln(
                            confidence / {{ wilson_bound("confidence", "first_customers", z, "-") }}
                        ),
                        2
                    ) + power(
                        ln({{ wilson_bound("margin", "transition_customers", z, "+") }} / margin), 2
                    )
                )
            )
    end as lift_lower,
    p_value,
    case
        when is_in_family
        then min(adjusted) over (partition by is_in_family order by p_value desc nulls last)
    end as q_value
from shares
