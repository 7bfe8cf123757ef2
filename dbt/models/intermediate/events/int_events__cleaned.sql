-- 1. A visitor is a cookie; without one an account, an e-mail, else the event alone.
-- 2. An event that says the same as the visitor's one a second or less before it is a duplicate.
-- 3. Who comes with the user agent of a program, or faster than a person can, is a bot on that day.
{{
    config(
        materialized="incremental" if target.type == "duckdb" else "table",
        incremental_strategy="append",
        on_schema_change="sync_all_columns",
        pre_hook="{{ forget_changed_days(ref('int_events__days')) }}",
    )
}}

with

    settings as (select * from {{ ref("int_run__settings") }}),

    days as ({{ changed_days(ref("int_events__days")) }}),

    -- Before the join: as its condition it would be evaluated for every event and day.
    dated as (

        select
            events.*,
            {{ shop_date("events.occurred_at", "settings.time_zone") }} as event_date,
            events.source_name
            || ':'
            || coalesce(
                'cookie:' || events.anonymous_id,
                'account:' || events.customer_id,
                'email:' || events.customer_email_hash,
                'event:' || events.event_id
            ) as visitor_id
        from {{ ref("stg_events") }} as events
        cross join settings

    ),

    changed as (

        select dated.*, days.day_fingerprint
        from dated
        inner join days on dated.event_date = days.event_date

    ),

    followed as (

        select
            *,
            lag(occurred_at) over (
                partition by
                    visitor_id,
                    event_date,
                    event_type,
                    customer_id,
                    customer_email_hash,
                    session_id,
                    cart_id,
                    order_id,
                    product_id,
                    page_url,
                    referrer,
                    channel,
                    campaign,
                    variant,
                    device,
                    user_agent,
                    search_term,
                    search_results,
                    quantity,
                    value,
                    currency
                order by occurred_at, event_id
            ) as same_before_at
        from changed

    ),

    told_apart as (

        select
            *,
            coalesce(
                {{ seconds_between("same_before_at", "occurred_at") }} <= 1, false
            ) as is_duplicate
        from followed

    ),

    programs as (

        select distinct agents.user_agent
        from (select distinct user_agent from changed) as agents
        inner join
            {{ ref("bot_patterns") }} as patterns
            on instr(lower(agents.user_agent), patterns.pattern) > 0

    ),

    by_user_agent as (

        select distinct changed.visitor_id, changed.event_date
        from changed
        inner join programs on changed.user_agent = programs.user_agent

    ),

    by_rate as (

        select visitor_id, event_date
        from told_apart
        cross join settings
        where not is_duplicate
        group by
            visitor_id,
            event_date,
            date_trunc('minute', occurred_at),
            settings.bot_events_per_minute
        having count(*) > settings.bot_events_per_minute
        union
        select visitor_id, event_date
        from told_apart
        cross join settings
        where not is_duplicate
        group by
            visitor_id, event_date, date_trunc('hour', occurred_at), settings.bot_events_per_hour
        having count(*) > settings.bot_events_per_hour

    )

select
    told_apart.source_name,
    told_apart.event_id,
    told_apart.visitor_id,
    told_apart.anonymous_id,
    told_apart.customer_id as account_id,
    told_apart.customer_email_hash as email_hash,
    told_apart.event_type,
    told_apart.cart_id,
    told_apart.order_id,
    told_apart.page_url,
    told_apart.channel,
    told_apart.campaign,
    told_apart.variant,
    told_apart.device,
    told_apart.search_term,
    told_apart.search_results,
    told_apart.value,
    told_apart.currency,
    case
        when told_apart.is_duplicate
        then 'duplicate'
        when by_user_agent.visitor_id is not null
        then 'bot_user_agent'
        when by_rate.visitor_id is not null
        then 'bot_rate'
    end as discard_reason,
    told_apart.event_type not in (
        'email_open',
        'email_click',
        'campaign_touch',
        'user_generated_content',
        'community_answer',
        'reference'
    ) as is_visit,
    told_apart.event_date,
    told_apart.occurred_at,
    told_apart.day_fingerprint
from told_apart
left join
    by_user_agent
    on told_apart.visitor_id = by_user_agent.visitor_id
    and told_apart.event_date = by_user_agent.event_date
left join
    by_rate
    on told_apart.visitor_id = by_rate.visitor_id
    and told_apart.event_date = by_rate.event_date
