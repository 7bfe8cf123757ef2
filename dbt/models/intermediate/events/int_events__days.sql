-- What each day is made of, as a text that changes when any of it does. Without the split at
-- midnight a session can reach over days, so that every day depends on all.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    patterns as (

        select {{ fingerprint(["pattern"]) }} as patterns_fingerprint from {{ ref("bot_patterns") }}

    ),

    events as (

        select events.*, {{ shop_date("events.occurred_at", "settings.time_zone") }} as event_date
        from {{ ref("stg_events") }} as events
        cross join settings

    ),

    days as (

        select
            event_date,
            count(*) as events,
            {{
                fingerprint(
                    [
                        "source_name",
                        "event_id",
                        "anonymous_id",
                        "customer_id",
                        "customer_email_hash",
                        "event_type",
                        "session_id",
                        "cart_id",
                        "order_id",
                        "product_id",
                        "page_url",
                        "referrer",
                        "channel",
                        "campaign",
                        "variant",
                        "device",
                        "user_agent",
                        "search_term",
                        "search_results",
                        "quantity",
                        "value",
                        "currency",
                        "occurred_at",
                    ]
                )
            }} as events_fingerprint
        from events
        cross join settings
        where event_date <= settings.as_of_date
        group by event_date

    ),

    all_days as (select {{ fingerprint(["event_date", "events_fingerprint"]) }} as of_all from days)

select
    days.event_date,
    days.events,
    cast(days.event_date as string)
    || '-'
    || days.events_fingerprint
    || '-'
    || patterns.patterns_fingerprint
    || '-'
    || settings.time_zone
    || '-'
    || cast(settings.session_timeout_minutes as string)
    || '-'
    || cast(settings.split_sessions_at_campaign as string)
    || '-'
    || cast(settings.bot_events_per_minute as string)
    || '-'
    || cast(settings.bot_events_per_hour as string)
    || '-'
    || case
        when settings.split_sessions_at_midnight then 'day' else all_days.of_all
    end as day_fingerprint
from days
cross join all_days
cross join patterns
cross join settings
