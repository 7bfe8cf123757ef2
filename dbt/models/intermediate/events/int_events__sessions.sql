-- Channel, campaign, device and landing page are those of the first event of the session that names
-- one.
{{
    config(
        materialized="incremental" if target.type == "duckdb" else "table",
        incremental_strategy="append",
        on_schema_change="sync_all_columns",
        pre_hook="{{ forget_changed_days(ref('int_events__sessionized')) }}",
    )
}}

with

    days as ({{ changed_days(ref("int_events__sessionized")) }}),

    sessions as (

        select
            events.session_id,
            events.source_name,
            events.visitor_id,
            events.anonymous_id,
            min_by(events.channel, events.event_number) filter (
                where events.channel is not null
            ) as channel,
            min_by(events.campaign, events.event_number) filter (
                where events.campaign is not null
            ) as campaign,
            min_by(events.device, events.event_number) filter (
                where events.device is not null
            ) as device,
            min_by({{ replace_all("events.page_url", "[?#].*", "") }}, events.event_number) filter (
                where events.page_url is not null
            ) as landing_page,
            min(events.bot_reason) as bot_reason,
            count(*) as events,
            count(*) filter (where events.event_type = 'page_view') as page_views,
            count(*) filter (where events.event_type = 'product_view') as product_views,
            count(*) filter (where events.event_type = 'search') as searches,
            count(*) filter (where events.event_type = 'add_to_cart') as carts,
            count(*) filter (where events.event_type = 'checkout_started') as checkouts,
            count(*) filter (where events.event_type = 'purchase') as purchases,
            min(events.event_date) as event_date,
            min(events.occurred_at) as started_at,
            max(events.occurred_at) as ended_at
        from {{ ref("int_events__sessionized") }} as events
        inner join days on events.event_date = days.event_date
        group by events.session_id, events.source_name, events.visitor_id, events.anonymous_id

    )

select sessions.*, days.day_fingerprint
from sessions
inner join days on sessions.event_date = days.event_date
