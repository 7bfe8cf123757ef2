-- 1. Looked back from a cut-off: the month ends every three months before it, from the earlier
-- cut-off on, each with the 90 days after it. Whoever had bought by such a day and bought again in
-- its 90 days counts there once, whatever was bought first of several things: so the past is asked
-- the question that the future will be.
-- 2. For each category of the last purchase before that day: of those to whom another category was
-- new, how many bought it in the 90 days. The base rate asks so of all, whatever they came from.
-- 3. Of many rates the best flatter. Over the pairs of which one purchase or more is expected,
-- the sum of (bought - expected)^2 / variance is their number by chance alone. What it has above,
-- divided by the sum of (repurchases - 1), is the overdispersion rho (method of moments of the
-- beta-binomial), and each rate moves to the base rate as far as rho asks:
-- (rho x bought + (1 - rho) x base rate) / (rho x repurchases + 1 - rho).
-- Evidence: 30 customers for the category come from, 5 purchases for the pair.
with

    cut_offs as (select * from {{ ref("int_cross_sell__cut_offs") }}),

    categories as (select * from {{ ref("int_cross_sell__categories") }}),

    windows as (

        select cut_offs.cut_off_date, months.period_end as start_date
        from cut_offs
        inner join
            {{ ref("int_calendar__periods") }} as months
            on cut_offs.earlier_cut_off_date >= months.period_end
        where
            months.period_type = 'month'
            and mod({{ months_between("months.period_end", "cut_offs.earlier_cut_off_date") }}, 3)
            = 0

    ),

    starts as (

        select start_date, {{ add_days("start_date", 90) }} as end_date
        from windows
        group by start_date

    ),

    repurchases as (

        select
            starts.start_date,
            starts.end_date,
            purchases.customer_id,
            purchases.purchase_number,
            purchases.purchase_date as last_purchase_date
        from {{ ref("int_purchases__occasions") }} as purchases
        inner join
            starts
            on purchases.purchase_date <= starts.start_date
            and purchases.next_purchase_date > starts.start_date
            and purchases.next_purchase_date <= starts.end_date

    ),

    held as (

        select repurchases.*, categories.category as from_category
        from repurchases
        inner join
            categories
            on repurchases.customer_id = categories.customer_id
            and repurchases.purchase_number = categories.purchase_number

    ),

    known as (

        select start_date, end_date, customer_id
        from held
        group by start_date, end_date, customer_id

    ),

    outcomes as (

        select
            known.start_date,
            known.customer_id,
            categories.category,
            categories.purchase_date as bought_date,
            categories.purchase_date > known.start_date as is_new
        from known
        inner join categories on known.customer_id = categories.customer_id
        where categories.is_first and categories.purchase_date <= known.end_date

    ),

    totals as (

        select windows.cut_off_date, count(*) as repurchases
        from known
        inner join windows on known.start_date = windows.start_date
        group by windows.cut_off_date

    ),

    by_category as (

        select
            start_date,
            category,
            count(*) filter (where is_new) as bought,
            count(*) filter (where not is_new) as had
        from outcomes
        group by start_date, category

    ),

    base as (

        select
            windows.cut_off_date,
            by_category.category,
            sum(by_category.bought) as bought,
            sum(by_category.had) as had
        from by_category
        inner join windows on by_category.start_date = windows.start_date
        group by windows.cut_off_date, by_category.category
        having sum(by_category.bought) > 0

    ),

    base_rates as (

        select
            base.cut_off_date,
            base.category,
            {{ share("base.bought", "totals.repurchases - base.had") }} as base_rate
        from base
        inner join totals on base.cut_off_date = totals.cut_off_date

    ),

    from_counts as (

        select
            windows.cut_off_date,
            held.from_category,
            count(*) as repurchases,
            count(distinct held.customer_id) as from_customers
        from held
        inner join windows on held.start_date = windows.start_date
        group by windows.cut_off_date, held.from_category
        having count(distinct held.customer_id) >= 30

    ),

    by_pair as (

        select
            held.start_date,
            held.from_category,
            outcomes.category,
            count(*) filter (where outcomes.is_new) as bought,
            count(*) filter (where not outcomes.is_new) as had
        from held
        inner join
            outcomes
            on held.start_date = outcomes.start_date
            and held.customer_id = outcomes.customer_id
        group by held.start_date, held.from_category, outcomes.category

    ),

    pairs as (

        select
            windows.cut_off_date,
            by_pair.from_category,
            by_pair.category,
            sum(by_pair.bought) as bought,
            sum(by_pair.had) as had
        from by_pair
        inner join windows on by_pair.start_date = windows.start_date
        group by windows.cut_off_date, by_pair.from_category, by_pair.category

    ),

    -- A pair that nobody made counts too.
    counted as (

        select
            from_counts.cut_off_date,
            from_counts.from_category,
            base_rates.category,
            from_counts.from_customers,
            from_counts.repurchases - coalesce(pairs.had, 0) as repurchases,
            coalesce(pairs.bought, 0) as bought,
            base_rates.base_rate,
            cast(from_counts.repurchases - coalesce(pairs.had, 0) as double)
            * base_rates.base_rate as expected
        from from_counts
        inner join base_rates on from_counts.cut_off_date = base_rates.cut_off_date
        left join
            pairs
            on from_counts.cut_off_date = pairs.cut_off_date
            and from_counts.from_category = pairs.from_category
            and base_rates.category = pairs.category
        where
            from_counts.from_category <> base_rates.category
            and from_counts.repurchases > coalesce(pairs.had, 0)

    ),

    dispersions as (

        select
            cut_off_date,
            least(
                greatest(
                    {{
                        exact_sum(
                            "(bought - expected) * (bought - expected) / (expected * (1 - base_rate)) - 1"
                        )
                    }}
                    / cast(sum(repurchases - 1) as double),
                    0e0
                ),
                1e0
            ) as overdispersion
        from counted
        where expected >= 1 and base_rate < 1 and repurchases > 1
        group by cut_off_date

    ),

    waits as (

        select
            windows.cut_off_date,
            held.from_category,
            outcomes.category,
            percentile_cont(0.25) within group (
                order by {{ days_between("held.last_purchase_date", "outcomes.bought_date") }}
            ) as first_quartile_days
        from held
        inner join
            outcomes
            on held.start_date = outcomes.start_date
            and held.customer_id = outcomes.customer_id
        inner join windows on held.start_date = windows.start_date
        where outcomes.is_new
        group by windows.cut_off_date, held.from_category, outcomes.category

    ),

    rated as (

        select
            counted.cut_off_date,
            counted.from_category,
            counted.category,
            counted.from_customers,
            counted.repurchases,
            counted.bought,
            counted.base_rate,
            coalesce(dispersions.overdispersion, 0e0) as overdispersion,
            max(counted.bought) over (
                partition by counted.cut_off_date, counted.category
            ) as most_bought
        from counted
        left join dispersions on counted.cut_off_date = dispersions.cut_off_date

    )

select
    rated.cut_off_date,
    rated.from_category,
    rated.category,
    cast(rated.from_customers as integer) as from_customers,
    cast(rated.repurchases as integer) as repurchases,
    cast(rated.bought as integer) as bought,
    rated.bought >= 5 as has_evidence,
    rated.base_rate,
    rated.overdispersion,
    (rated.overdispersion * rated.bought + (1 - rated.overdispersion) * rated.base_rate)
    / (rated.overdispersion * rated.repurchases + 1 - rated.overdispersion) as rate,
    cast(floor(waits.first_quartile_days) as integer) as first_quartile_days
from rated
left join
    waits
    on rated.cut_off_date = waits.cut_off_date
    and rated.from_category = waits.from_category
    and rated.category = waits.category
where rated.most_bought >= 5
