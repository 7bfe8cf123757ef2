with

    settings as (select * from {{ ref("stg_run_settings") }}),

    orders as (select * from {{ ref("stg_orders") }}),

    events as (select * from {{ ref("stg_events") }}),

    last_fact as (

        select max(happened_at) as last_fact_at
        from
            (
                select max(ordered_at) as happened_at
                from orders
                union all
                select max(occurred_at) as happened_at
                from events
            )

    ),

    resolved as (

        select
            settings.*,
            {{ shop_date("last_fact.last_fact_at", "settings.time_zone") }} as last_fact_date
        from settings
        cross join last_fact

    ),

    dated as (select *, coalesce(as_of_date, last_fact_date) as resolved_as_of_date from resolved),

    orders_seen as (

        select
            count(*) as orders,
            count(distinct orders.currency) as currencies,
            min(orders.currency) as first_currency,
            max(orders.currency) as last_currency,
            min({{ shop_date("orders.ordered_at", "dated.time_zone") }}) as first_order_date
        from orders
        cross join dated
        where {{ shop_date("orders.ordered_at", "dated.time_zone") }} <= dated.resolved_as_of_date

    )

select
    dated.run_id,
    dated.time_zone,
    coalesce(
        dated.reporting_currency,
        case orders_seen.currencies when 0 then 'XXX' when 1 then orders_seen.first_currency end
    ) as reporting_currency,
    orders_seen.first_currency,
    orders_seen.last_currency,
    orders_seen.currencies,
    orders_seen.orders,
    dated.follow_up_days,
    dated.fallback_at_risk_after_days,
    dated.fallback_inactive_after_days,
    dated.max_accounts_per_email,
    dated.max_emails_per_account,
    dated.session_timeout_minutes,
    dated.split_sessions_at_midnight,
    dated.split_sessions_at_campaign,
    dated.bot_events_per_minute,
    dated.bot_events_per_hour,
    dated.first_touch_days,
    dated.last_touch_days,
    dated.experiment_days,
    dated.ltv_backtest_days,
    dated.ltv_min_history_days,
    dated.ltv_min_repeat_customers,
    dated.refunds_known_after_days,
    dated.discount_rate_per_year,
    dated.language,
    dated.max_contacts,
    dated.contact_days,
    dated.holdout_share,
    dated.holdout_salt,
    dated.holdout_below,
    dated.merge_same_day_orders,
    dated.count_zero_value_orders,
    dated.resolved_as_of_date as as_of_date,
    orders_seen.first_order_date,
    dated.started_at
from dated
cross join orders_seen
