-- 1. A touch is a session that came of a campaign, a click in an e-mail, or a campaign_touch.
-- Opening an e-mail is none, for many mail programs do it by themselves; nor is a variant that was
-- shown, for a test on the page brought nobody there.
-- 2. What names a channel but no campaign touches "<channel> (all)", where money was spent on the
-- campaign all of it.
-- 3. customer_id_then is whose it was known to be on known_date; a second person who logs in on the
-- cookie later does not change that.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    visitors as (select * from {{ ref("int_identity__visitors") }}),

    channels as (

        select distinct spend.channel
        from {{ ref("stg_marketing_spend") }} as spend
        cross join settings
        where spend.campaign = 'all' and spend.spend_date <= settings.as_of_date

    ),

    elsewhere as (

        select
            events.source_name || ':' || events.event_id as touch_id,
            events.event_type as touch_type,
            coalesce(accounts.customer_id, emails.customer_id, visitors.customer_id) as customer_id,
            coalesce(
                accounts.customer_id,
                emails.customer_id,
                case
                    when
                        coalesce(visitors.shared_on, date '9999-12-31')
                        > greatest(events.event_date, visitors.linked_on)
                    then visitors.first_customer_id
                end
            ) as customer_id_then,
            events.channel,
            events.campaign,
            events.event_date as touch_date,
            case
                when accounts.customer_id is null and emails.customer_id is null
                then greatest(events.event_date, visitors.linked_on)
                else events.event_date
            end as known_date,
            events.occurred_at as touched_at
        from {{ ref("int_events__cleaned") }} as events
        left join accounts on events.account_id = accounts.account_id
        left join
            emails
            on case when accounts.customer_id is null then events.email_hash end = emails.email_hash
        left join
            visitors
            on events.source_name = visitors.source_name
            and events.anonymous_id = visitors.anonymous_id
        where
            events.discard_reason is null
            and (
                events.event_type = 'email_click'
                or (events.event_type = 'campaign_touch' and events.variant is null)
            )

    ),

    visits as (

        select
            sessions.session_id as touch_id,
            'session' as touch_type,
            identified.customer_id,
            case
                when coalesce(identified.known_until, date '9999-12-31') >= identified.known_from
                then identified.customer_id_then
            end as customer_id_then,
            sessions.channel,
            sessions.campaign,
            sessions.event_date as touch_date,
            coalesce(identified.known_from, sessions.event_date) as known_date,
            sessions.started_at as touched_at
        from {{ ref("int_events__sessions") }} as sessions
        left join
            {{ ref("int_sessions__identified") }} as identified
            on sessions.session_id = identified.session_id
        where sessions.bot_reason is null

    ),

    touches as (

        select *
        from elsewhere
        union all
        select *
        from visits

    )

select
    touches.touch_id,
    touches.touch_type,
    touches.customer_id,
    touches.customer_id_then,
    coalesce(touches.campaign, channels.channel || ' (all)') as campaign,
    coalesce(touches.channel, 'unknown') as channel,
    touches.touch_date,
    touches.known_date,
    touches.touched_at
from touches
left join channels on touches.channel = channels.channel
where touches.campaign is not null or channels.channel is not null
