-- Which thresholds are in force for purchases of a month: the shop's own; those of the bucket,
-- where at least 30 have returned and its history is 2 H long; those of all buckets pooled,
-- likewise; two settings.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    estimates as (

        select *
        from {{ ref("int_lifecycle__return_quantiles") }}
        where
            returns >= 30
            and {{ days_between("first_purchase_date", "estimation_month") }} >= 2 * follow_up_days

    ),

    overrides as (select * from {{ ref("lapse_threshold_overrides") }}),

    months as (

        select period_start as estimation_month
        from {{ ref("int_calendar__periods") }}
        where period_type = 'month'

    ),

    buckets as (

        select '1' as purchase_bucket
        union all
        select '2'
        union all
        select '3'
        union all
        select '4-6'
        union all
        select '7+'

    )

select
    months.estimation_month,
    buckets.purchase_bucket,
    case
        when overrides.purchase_bucket is not null
        then 'seed'
        when of_bucket.purchase_bucket is not null
        then 'bucket'
        when pooled.purchase_bucket is not null
        then 'pooled'
        else 'setting'
    end as threshold_source,
    cast(
        coalesce(
            overrides.at_risk_after_days,
            of_bucket.at_risk_after_days,
            pooled.at_risk_after_days,
            settings.fallback_at_risk_after_days
        ) as integer
    ) as at_risk_after_days,
    cast(
        coalesce(
            overrides.inactive_after_days,
            of_bucket.inactive_after_days,
            pooled.inactive_after_days,
            settings.fallback_inactive_after_days
        ) as integer
    ) as inactive_after_days,
    {% for column in [
        "purchases",
        "returns",
        "return_share",
        "return_chance_90_days",
        "at_risk_after_days_lower",
        "at_risk_after_days_upper",
        "inactive_after_days_lower",
        "inactive_after_days_upper",
    ] -%}
        case
            when overrides.purchase_bucket is null
            then coalesce(of_bucket.{{ column }}, pooled.{{ column }})
        end as {{ column }}
        {% if not loop.last %},{% endif %}
    {% endfor %}
from months
cross join buckets
cross join settings
left join overrides on buckets.purchase_bucket = overrides.purchase_bucket
left join
    estimates as of_bucket
    on months.estimation_month = of_bucket.estimation_month
    and buckets.purchase_bucket = of_bucket.purchase_bucket
left join
    estimates as pooled
    on months.estimation_month = pooled.estimation_month
    and pooled.purchase_bucket = 'pooled'
