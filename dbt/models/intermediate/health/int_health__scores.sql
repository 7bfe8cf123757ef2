-- Five components from 0 to 100, by what was known at the cut-off, and their weighted mean.
-- 1. recency: 100 on the day of a purchase, 50 when the next one is due, then ever less. While too
-- few gaps are known to expect one, fallback_at_risk_after_days stands for it.
-- 2. frequency: purchases of the last 365 days against those of the 365 before, or against full_at
-- where these were fewer.
-- 3. breadth and engagement: categories bought so far, and visits of the last 90 days, up to
-- full_at.
-- 4. experience: 100 after a good one, 0 after a bad one, 50 after none in 180 days. Of one day's
-- signals a bad one counts.
-- 5. Visits and signals that nobody in the shop has are not delivered, and the component is empty.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    cut_offs as (

        select
            cut_off_date,
            graded_until_date,
            {{ add_days("cut_off_date", -90) }} as visits_after_date,
            {{ add_days("cut_off_date", -180) }} as signals_after_date,
            {{ add_days("cut_off_date", -365) }} as year_ago_date,
            {{ add_days("cut_off_date", -730) }} as two_years_ago_date
        from {{ ref("int_health__cut_offs") }}

    ),

    weights as (

        select
            {% for component in ["recency", "frequency", "breadth", "engagement", "experience"] %}
                max(weight) filter (where component = '{{ component }}') as {{ component }}_weight,
                max(full_at) filter (where component = '{{ component }}') as full_{{ component }}
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from {{ ref("health_weights") }}

    ),

    purchases as (

        select
            customer_id,
            purchase_number,
            purchase_date,
            coalesce(next_purchase_date, date '9999-12-31') as next_purchase_date
        from {{ ref("int_purchases__occasions") }}

    ),

    -- The number of purchases by a date is that of the one made by then whose next was not.
    year_ago as (

        select cut_offs.cut_off_date, purchases.customer_id, purchases.purchase_number
        from purchases
        inner join
            cut_offs
            on purchases.purchase_date <= cut_offs.year_ago_date
            and purchases.next_purchase_date > cut_offs.year_ago_date

    ),

    two_years_ago as (

        select cut_offs.cut_off_date, purchases.customer_id, purchases.purchase_number
        from purchases
        inner join
            cut_offs
            on purchases.purchase_date <= cut_offs.two_years_ago_date
            and purchases.next_purchase_date > cut_offs.two_years_ago_date

    ),

    first_bought as (

        select numbered.customer_id, lines.category, min(orders.order_date) as bought_date
        from {{ ref("int_orders__numbered") }} as numbered
        inner join {{ ref("int_orders__valued") }} as orders on numbered.order_id = orders.order_id
        inner join
            {{ ref("int_order_lines__priced") }} as lines on numbered.order_id = lines.order_id
        where lines.line_type = 'merchandise' and lines.category is not null
        group by numbered.customer_id, lines.category

    ),

    broadened as (

        select customer_id, bought_date, count(*) as new_categories
        from first_bought
        group by customer_id, bought_date

    ),

    broad as (

        select
            customer_id,
            bought_date,
            sum(new_categories) over customer as categories,
            coalesce(lead(bought_date) over customer, date '9999-12-31') as next_bought_date
        from broadened
        window customer as (partition by customer_id order by bought_date)

    ),

    breadth as (

        select cut_offs.cut_off_date, broad.customer_id, broad.categories
        from broad
        inner join
            cut_offs
            on broad.bought_date <= cut_offs.cut_off_date
            and broad.next_bought_date > cut_offs.cut_off_date

    ),

    sessions as (

        select
            identified.customer_id_then as customer_id,
            sessions.event_date,
            greatest(sessions.event_date, identified.known_from) as known_from,
            coalesce(identified.known_until, date '9999-12-31') as known_until
        from {{ ref("int_events__sessions") }} as sessions
        inner join
            {{ ref("int_sessions__identified") }} as identified
            on sessions.session_id = identified.session_id
        where sessions.bot_reason is null and identified.customer_id_then is not null

    ),

    visits as (

        select cut_offs.cut_off_date, sessions.customer_id, count(*) as visits
        from sessions
        inner join
            cut_offs
            on sessions.known_from <= cut_offs.cut_off_date
            and sessions.known_until >= cut_offs.cut_off_date
            and sessions.event_date > cut_offs.visits_after_date
        group by cut_offs.cut_off_date, sessions.customer_id

    ),

    felt as (

        select customer_id, known_date, min(case when is_good then 100 else 0 end) as points
        from {{ ref("int_experience__signals") }}
        group by customer_id, known_date

    ),

    latest as (

        select
            *,
            coalesce(
                lead(known_date) over (partition by customer_id order by known_date),
                date '9999-12-31'
            ) as next_known_date
        from felt

    ),

    experience as (

        select cut_offs.cut_off_date, latest.customer_id, latest.points
        from latest
        inner join
            cut_offs
            on latest.known_date <= cut_offs.cut_off_date
            and latest.next_known_date > cut_offs.cut_off_date
            and latest.known_date > cut_offs.signals_after_date

    ),

    delivered as (

        select
            cut_offs.cut_off_date,
            cut_offs.graded_until_date,
            visited.cut_off_date is not null as has_visits,
            heard.cut_off_date is not null as has_signals
        from cut_offs
        left join
            (select distinct cut_off_date from visits) as visited
            on cut_offs.cut_off_date = visited.cut_off_date
        left join
            (select distinct cut_off_date from experience) as heard
            on cut_offs.cut_off_date = heard.cut_off_date

    ),

    measured as (

        select
            gaps.cut_off_date,
            gaps.customer_id,
            gaps.expected_gap_days,
            coalesce(
                gaps.expected_gap_days, cast(settings.fallback_at_risk_after_days as double)
            ) as rhythm_days,
            {{ days_between("gaps.last_purchase_date", "gaps.cut_off_date") }}
            as days_since_last_purchase,
            gaps.purchase_number - coalesce(year_ago.purchase_number, 0) as purchases_of_year,
            coalesce(year_ago.purchase_number, 0)
            - coalesce(two_years_ago.purchase_number, 0) as purchases_of_year_before,
            breadth.categories,
            case when delivered.has_visits then coalesce(visits.visits, 0) end as visits,
            case when delivered.has_signals then coalesce(experience.points, 50) end as points,
            gaps.next_purchase_date <= delivered.graded_until_date as has_repurchased
        from {{ ref("int_repeat__gaps_at_cut_offs") }} as gaps
        cross join settings
        inner join delivered on gaps.cut_off_date = delivered.cut_off_date
        {% for part in ["year_ago", "two_years_ago", "breadth", "visits", "experience"] %}
            left join
                {{ part }}
                on gaps.cut_off_date = {{ part }}.cut_off_date
                and gaps.customer_id = {{ part }}.customer_id
        {% endfor %}

    ),

    scored as (

        select
            measured.cut_off_date,
            measured.customer_id,
            measured.expected_gap_days,
            measured.days_since_last_purchase,
            100
            * measured.rhythm_days
            / (measured.rhythm_days + measured.days_since_last_purchase) as recency_score,
            100 * least(
                1e0,
                measured.purchases_of_year / greatest(
                    cast(measured.purchases_of_year_before as double), weights.full_frequency
                )
            ) as frequency_score,
            case
                when measured.categories is not null
                then 100 * least(1e0, measured.categories / weights.full_breadth)
            end as breadth_score,
            case
                when measured.visits is not null
                then 100 * least(1e0, measured.visits / weights.full_engagement)
            end as engagement_score,
            cast(measured.points as double) as experience_score,
            measured.has_repurchased,
            weights.recency_weight,
            weights.frequency_weight,
            weights.breadth_weight,
            weights.engagement_weight,
            weights.experience_weight
        from measured
        cross join weights

    )

select
    cut_off_date,
    customer_id,
    expected_gap_days,
    days_since_last_purchase,
    recency_score,
    frequency_score,
    breadth_score,
    engagement_score,
    experience_score,
    (
        {% for component in ["recency", "frequency", "breadth", "engagement", "experience"] %}
            coalesce({{ component }}_weight * {{ component }}_score, 0)
            {%- if not loop.last %} +{% endif %}
        {% endfor %}
    ) / nullif(
        {% for component in ["recency", "frequency", "breadth", "engagement", "experience"] %}
            case when {{ component }}_score is not null then {{ component }}_weight else 0 end
            {%- if not loop.last %} +{% endif %}
        {% endfor %},
        0
    ) as health_score,
    has_repurchased
from scored
