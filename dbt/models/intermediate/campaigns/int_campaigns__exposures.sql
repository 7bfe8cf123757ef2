-- 1. A visitor is exposed to a variant by the first event that names it, up to the last day of the
-- test.
-- 2. Who saw two variants is of none.
-- 3. Converted: a valid order of the visitor or its person after the exposure, up to the last day.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    visitors as (select * from {{ ref("int_identity__visitors") }}),

    experiments as (select * from {{ ref("campaign_experiments") }}),

    shown as (

        select
            events.campaign,
            events.variant,
            events.visitor_id,
            coalesce(visitors.customer_id, accounts.customer_id, emails.customer_id) as customer_id,
            events.event_date,
            events.occurred_at
        from {{ ref("int_events__cleaned") }} as events
        left join
            visitors
            on events.source_name = visitors.source_name
            and events.anonymous_id = visitors.anonymous_id
        left join
            accounts
            on case when events.anonymous_id is null then events.account_id end
            = accounts.account_id
        left join
            emails
            on case
                when events.anonymous_id is null and accounts.customer_id is null
                then events.email_hash
            end
            = emails.email_hash
        where
            events.campaign is not null
            and events.variant is not null
            and events.discard_reason is null

    ),

    campaigns as (

        select
            shown.campaign,
            coalesce(
                max(experiments.ends_on),
                {{
                    add_days(
                        "min(shown.event_date)",
                        "max(settings.experiment_days)",
                    )
                }}
            ) as ends_on
        from shown
        cross join settings
        left join experiments on shown.campaign = experiments.campaign
        group by shown.campaign

    ),

    exposed as (

        select
            shown.campaign,
            shown.visitor_id,
            min(shown.variant) as variant,
            min(shown.customer_id) as customer_id,
            min(shown.occurred_at) as exposed_at,
            campaigns.ends_on,
            count(distinct shown.variant) > 1 as is_mixed
        from shown
        inner join campaigns on shown.campaign = campaigns.campaign
        where shown.event_date <= campaigns.ends_on
        group by shown.campaign, shown.visitor_id, campaigns.ends_on

    ),

    orders as (select * from {{ ref("int_orders__valued") }} where is_valid),

    converted as (

        select exposed.campaign, exposed.visitor_id
        from exposed
        inner join
            orders
            on exposed.customer_id = orders.customer_id
            and orders.ordered_by_at >= exposed.exposed_at
            and orders.order_date <= exposed.ends_on
        union
        select exposed.campaign, exposed.visitor_id
        from exposed
        inner join
            {{ ref("int_events__sessions") }} as sessions
            on exposed.visitor_id = sessions.visitor_id
        inner join
            {{ ref("int_sessions__ordered") }} as placed on sessions.session_id = placed.session_id
        inner join orders on placed.order_id = orders.order_id
        where orders.ordered_by_at >= exposed.exposed_at and orders.order_date <= exposed.ends_on

    )

select
    exposed.campaign,
    exposed.visitor_id,
    exposed.variant,
    exposed.is_mixed,
    converted.visitor_id is not null as is_converted,
    exposed.ends_on
from exposed
left join
    converted on exposed.campaign = converted.campaign and exposed.visitor_id = converted.visitor_id
