-- 1. Silence ends a session, and so does midnight, where the setting says so.
-- 2. Within one, the first campaign is that of the session; another one begins another session.
-- 3. A session is named after its first event.
-- 4. To be told whose the cookie is (identify) is no visit by itself.
{{
    config(
        materialized="incremental" if target.type == "duckdb" else "table",
        incremental_strategy="append",
        on_schema_change="sync_all_columns",
        pre_hook="{{ forget_changed_days(ref('int_events__cleaned')) }}",
    )
}}

with

    settings as (select * from {{ ref("int_run__settings") }}),

    days as ({{ changed_days(ref("int_events__cleaned")) }}),

    visits as (

        select
            events.source_name,
            events.event_id,
            events.visitor_id,
            events.anonymous_id,
            events.account_id,
            events.email_hash,
            events.event_type,
            events.cart_id,
            events.order_id,
            events.page_url,
            events.channel,
            events.campaign,
            events.device,
            events.search_term,
            events.search_results,
            events.value,
            events.currency,
            events.discard_reason as bot_reason,
            events.event_date,
            events.occurred_at,
            days.day_fingerprint
        from {{ ref("int_events__cleaned") }} as events
        inner join days on events.event_date = days.event_date
        where events.is_visit and coalesce(events.discard_reason, '') <> 'duplicate'

    ),

    followed as (

        select
            *,
            lag(occurred_at) over visitor as before_at,
            lag(event_date) over visitor as before_date
        from visits
        window visitor as (partition by visitor_id order by occurred_at, event_id)

    ),

    visited as (

        select
            followed.*,
            sum(
                case
                    when
                        {{ seconds_between("followed.before_at", "followed.occurred_at") }}
                        <= 60 * settings.session_timeout_minutes
                        and (
                            followed.before_date = followed.event_date
                            or not settings.split_sessions_at_midnight
                        )
                    then 0
                    else 1
                end
            ) over (
                partition by followed.visitor_id
                order by followed.occurred_at, followed.event_id
                rows between unbounded preceding and current row
            ) as visit_number,
            settings.split_sessions_at_campaign
        from followed
        cross join settings

    ),

    led as (

        select
            *,
            lag(campaign) over (
                partition by visitor_id, visit_number, campaign is not null
                order by occurred_at, event_id
            ) as campaign_before
        from visited

    ),

    split as (

        select
            *,
            sum(
                case
                    when split_sessions_at_campaign and campaign <> campaign_before then 1 else 0
                end
            ) over (
                partition by visitor_id, visit_number
                order by occurred_at, event_id
                rows between unbounded preceding and current row
            ) as campaign_number
        from led

    )

select
    source_name,
    event_id,
    source_name
    || ':'
    || first_value(event_id) over (
        partition by visitor_id, visit_number, campaign_number order by occurred_at, event_id
    ) as session_id,
    row_number() over (
        partition by visitor_id, visit_number, campaign_number order by occurred_at, event_id
    ) as event_number,
    visitor_id,
    anonymous_id,
    account_id,
    email_hash,
    event_type,
    cart_id,
    order_id,
    page_url,
    channel,
    campaign,
    device,
    search_term,
    search_results,
    value,
    currency,
    bot_reason,
    event_date,
    occurred_at,
    day_fingerprint
from split
qualify
    sum(case when event_type = 'identify' then 0 else 1 end) over (
        partition by visitor_id, visit_number, campaign_number
    )
    > 0
