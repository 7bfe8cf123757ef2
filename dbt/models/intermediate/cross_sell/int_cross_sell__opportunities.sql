-- 1. Categories new to the customer, with evidence from a category of the last purchase. Of
-- several of these the rate is the mean, for the highest would flatter; the one with evidence and
-- the highest rate is named.
-- 2. probability: that he buys within 90 days x that such purchases hold the category.
-- 3. The three of the highest probability x expected margin.
with

    cut_offs as (select * from {{ ref("int_cross_sell__cut_offs") }}),

    categories as (select * from {{ ref("int_cross_sell__categories") }}),

    transitions as (select * from {{ ref("int_cross_sell__transitions") }}),

    customers as (

        select
            customers.cut_off_date,
            customers.customer_id,
            customers.purchase_number,
            customers.last_purchase_date,
            cut_offs.graded_until_date,
            rates.repurchase_rate
        from {{ ref("int_cross_sell__customers") }} as customers
        inner join cut_offs on customers.cut_off_date = cut_offs.cut_off_date
        inner join
            {{ ref("int_cross_sell__repurchase_rates") }} as rates
            on customers.cut_off_date = rates.cut_off_date
            and customers.health_score >= rates.lowest_score
            and customers.health_score < coalesce(rates.next_lowest_score, 1000)
        where rates.repurchase_rate > 0

    ),

    firsts as (select customer_id, category, purchase_date, margin from categories where is_first),

    candidates as (

        select
            customers.cut_off_date,
            customers.customer_id,
            transitions.category,
            {{ exact_sum("transitions.rate") }} / count(*) as category_rate
        from customers
        inner join
            categories
            on customers.customer_id = categories.customer_id
            and customers.purchase_number = categories.purchase_number
        inner join
            transitions
            on customers.cut_off_date = transitions.cut_off_date
            and categories.category = transitions.from_category
        group by customers.cut_off_date, customers.customer_id, transitions.category
        having count(*) filter (where transitions.has_evidence) > 0

    ),

    valued as (

        select
            customers.*,
            candidates.category,
            candidates.category_rate,
            customers.repurchase_rate * candidates.category_rate as probability,
            values_of_year.expected_margin,
            firsts.purchase_date as bought_date,
            firsts.margin,
            row_number() over (
                partition by candidates.cut_off_date, candidates.customer_id
                order by
                    customers.repurchase_rate
                    * candidates.category_rate
                    * cast(values_of_year.expected_margin as double) desc,
                    candidates.category
            ) as opportunity_rank
        from candidates
        inner join
            customers
            on candidates.cut_off_date = customers.cut_off_date
            and candidates.customer_id = customers.customer_id
        inner join
            {{ ref("int_cross_sell__values") }} as values_of_year
            on candidates.cut_off_date = values_of_year.cut_off_date
            and candidates.category = values_of_year.category
        left join
            firsts
            on candidates.customer_id = firsts.customer_id
            and candidates.category = firsts.category
        where
            values_of_year.expected_margin > 0
            and coalesce(firsts.purchase_date, date '9999-12-31') > candidates.cut_off_date

    ),

    best as (

        select valued.*, transitions.from_category
        from valued
        inner join
            categories
            on valued.customer_id = categories.customer_id
            and valued.purchase_number = categories.purchase_number
        inner join
            transitions
            on valued.cut_off_date = transitions.cut_off_date
            and categories.category = transitions.from_category
            and valued.category = transitions.category
        where valued.opportunity_rank <= 3 and transitions.has_evidence
        qualify
            row_number() over (
                partition by valued.cut_off_date, valued.customer_id, valued.category
                order by transitions.rate desc, transitions.from_category
            )
            = 1

    )

select
    best.cut_off_date,
    best.customer_id,
    best.category,
    best.from_category,
    cast(best.opportunity_rank as integer) as opportunity_rank,
    best.repurchase_rate,
    best.category_rate,
    best.probability,
    best.expected_margin,
    {{ money("best.probability * cast(best.expected_margin as double)") }} as expected_value,
    transitions.from_customers,
    transitions.repurchases,
    transitions.bought,
    {{ add_days("best.last_purchase_date", "transitions.first_quartile_days") }} as best_from_date,
    coalesce(best.bought_date, date '9999-12-31') <= best.graded_until_date as has_bought,
    case
        when coalesce(best.bought_date, date '9999-12-31') <= best.graded_until_date
        then best.margin
    end as margin
from best
inner join
    transitions
    on best.cut_off_date = transitions.cut_off_date
    and best.from_category = transitions.from_category
    and best.category = transitions.category
