-- Kaplan-Meier curves of the days to the next purchase, as known at each month start.
-- 1. A purchase has been followed to its day t by a month start after that day; if it was still
-- unanswered before t it was at risk, and it may have been answered on t.
-- 2. So counts are made by purchase day and t, and summed over the months from which they are
-- known.
-- 3. Survival beyond H is needed for the chance to return within 90 days at any t up to H.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    months as (

        select period_start as estimation_month
        from {{ ref("int_calendar__periods") }}
        where period_type = 'month'

    ),

    purchases as (

        select
            {{ purchase_bucket("purchase_number") }} as purchase_bucket,
            purchase_date,
            days_to_next_purchase
        from {{ ref("int_purchases__occasions") }}
        union all
        select 'pooled' as purchase_bucket, purchase_date, days_to_next_purchase
        from {{ ref("int_purchases__occasions") }}

    ),

    silent_days as (

        select
            {{
                numbers_between(
                    "cast(0 as bigint)", "cast(settings.follow_up_days + 90 as bigint)"
                )
            }} as silent_days
        from settings

    ),

    purchase_days as (

        select purchase_bucket, purchase_date, count(*) as purchases
        from purchases
        group by purchase_bucket, purchase_date

    ),

    returns as (

        select
            purchase_bucket,
            purchase_date,
            days_to_next_purchase as silent_days,
            count(*) as returned
        from purchases
        where days_to_next_purchase is not null
        group by purchase_bucket, purchase_date, days_to_next_purchase

    ),

    followed as (

        select
            purchase_days.purchase_bucket,
            silent_days.silent_days,
            {{
                add_months(
                    month_start(
                        add_days("purchase_days.purchase_date", "silent_days.silent_days")
                    ),
                    1,
                )
            }} as known_month,
            purchase_days.purchases - coalesce(
                sum(returns.returned) over (
                    partition by purchase_days.purchase_bucket, purchase_days.purchase_date
                    order by silent_days.silent_days
                    rows between unbounded preceding and 1 preceding
                ),
                0
            ) as at_risk,
            coalesce(returns.returned, 0) as returned
        from purchase_days
        cross join silent_days
        left join
            returns
            on purchase_days.purchase_bucket = returns.purchase_bucket
            and purchase_days.purchase_date = returns.purchase_date
            and silent_days.silent_days = returns.silent_days

    ),

    learned as (

        select
            purchase_bucket,
            silent_days,
            known_month,
            sum(at_risk) as at_risk,
            sum(returned) as returned
        from followed
        group by purchase_bucket, silent_days, known_month

    ),

    buckets as (

        select purchase_bucket, min(purchase_date) as first_purchase_date
        from purchases
        group by purchase_bucket

    ),

    known as (

        select
            months.estimation_month,
            buckets.purchase_bucket,
            buckets.first_purchase_date,
            silent_days.silent_days,
            cast(
                sum(coalesce(learned.at_risk, 0)) over (
                    partition by buckets.purchase_bucket, silent_days.silent_days
                    order by months.estimation_month
                ) as bigint
            ) as at_risk,
            cast(
                sum(coalesce(learned.returned, 0)) over (
                    partition by buckets.purchase_bucket, silent_days.silent_days
                    order by months.estimation_month
                ) as bigint
            ) as returned
        from months
        cross join buckets
        cross join silent_days
        left join
            learned
            on months.estimation_month = learned.known_month
            and buckets.purchase_bucket = learned.purchase_bucket
            and silent_days.silent_days = learned.silent_days

    )

select
    estimation_month,
    purchase_bucket,
    silent_days,
    at_risk,
    returned,
    {{ survival() }} as survival,
    {{ hazard_variance() }} as hazard_variance,
    first_purchase_date
from known
where first_purchase_date < estimation_month
window
    curve as (
        partition by estimation_month, purchase_bucket
        order by silent_days
        rows between unbounded preceding and current row
    )
