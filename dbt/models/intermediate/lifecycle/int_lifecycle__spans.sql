-- From when to when each flag and stage holds for a customer, by what was known on each day. A span
-- without an end holds until something happens. Of two that start on one day the longer counts.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    accounts as (select * from {{ ref("int_identity__accounts") }}),

    emails as (select * from {{ ref("int_identity__emails") }}),

    mentions as (select * from {{ ref("int_identity__mentions") }}),

    placeholders as (select * from {{ ref("stg_placeholder_emails") }}),

    silences as (select * from {{ ref("int_lifecycle__silences") }}),

    ranks as (select * from {{ ref("int_lifecycle__ranks") }}),

    signals as (select * from {{ ref("int_experience__signals") }}),

    acquainted as (

        select customer_id, coalesce(created_at, first_mentioned_at) as known_at
        from accounts
        union all
        select customer_id, first_mentioned_at as known_at
        from accounts
        union all
        select emails.customer_id, mentions.first_mentioned_at as known_at
        from mentions
        inner join emails on mentions.email_hash = emails.email_hash

    ),

    reachable as (

        select customer_id, coalesce(created_at, first_mentioned_at) as known_at
        from accounts
        where is_registered
        union all
        select accounts.customer_id, mentions.first_mentioned_at as known_at
        from mentions
        inner join accounts on mentions.account_id = accounts.account_id
        left join placeholders on mentions.email_hash = placeholders.email_hash
        where mentions.email_hash is not null and placeholders.email_hash is null
        union all
        select emails.customer_id, mentions.first_mentioned_at as known_at
        from mentions
        inner join emails on mentions.email_hash = emails.email_hash

    ),

    acquired as (

        select
            acquainted.customer_id,
            {{ shop_date("min(acquainted.known_at)", "settings.time_zone") }} as starts_on
        from acquainted
        cross join settings
        where acquainted.customer_id is not null and acquainted.known_at is not null
        group by acquainted.customer_id, settings.time_zone

    ),

    onboarded as (

        select
            reachable.customer_id,
            {{ shop_date("min(reachable.known_at)", "settings.time_zone") }} as starts_on
        from reachable
        cross join settings
        where reachable.customer_id is not null and reachable.known_at is not null
        group by reachable.customer_id, settings.time_zone

    ),

    bad as (

        select
            customer_id,
            signal_type,
            known_date,
            min(known_date) filter (where is_good) over (
                partition by customer_id
                order by
                    known_date range between interval 1 day following and interval 90 day following
            ) as put_right_on,
            is_good
        from signals

    ),

    ranked as (

        select customer_id, 'hero' as span_type, rank_month, rank_month_end
        from ranks
        where is_hero
        union all
        select customer_id, 'top_value' as span_type, rank_month, rank_month_end
        from ranks
        where is_top_value

    ),

    kept_ranks as (

        select
            *,
            coalesce(
                lag(rank_month_end) over (partition by customer_id, span_type order by rank_month)
                = {{ add_days("rank_month", -1) }},
                false
            ) as is_kept
        from ranked

    ),

    ranks_in_a_row as (

        select
            *,
            sum(case when is_kept then 0 else 1 end) over (
                partition by customer_id, span_type
                order by rank_month
                rows between unbounded preceding and current row
            ) as run_number
        from kept_ranks

    ),

    -- Whether the rank of the last month is kept is not foreseen.
    held_ranks as (

        select
            ranks_in_a_row.customer_id,
            ranks_in_a_row.span_type,
            min(ranks_in_a_row.rank_month) as starts_on,
            case
                when max(ranks_in_a_row.rank_month_end) < max(settings.as_of_date)
                then max(ranks_in_a_row.rank_month_end)
            end as ends_on
        from ranks_in_a_row
        cross join settings
        group by ranks_in_a_row.customer_id, ranks_in_a_row.span_type, ranks_in_a_row.run_number

    ),

    spans as (

        select
            customer_id,
            'acquisition' as span_type,
            starts_on,
            cast(null as date) as ends_on,
            'first seen' as start_reason,
            cast(null as string) as end_reason
        from acquired
        union all
        select
            customer_id,
            'onboarding',
            starts_on,
            cast(null as date),
            'has an account or left an address',
            cast(null as string)
        from onboarded
        union all
        select
            customer_id,
            'retention',
            purchase_date,
            cast(null as date),
            'first purchase',
            cast(null as string)
        from silences
        where purchase_number = 1
        union all
        select
            customer_id,
            'loyalty',
            purchase_date,
            cast(null as date),
            'third purchase',
            cast(null as string)
        from silences
        where purchase_number = 3
        union all
        select
            customer_id,
            'new',
            purchase_date,
            {{ add_days("purchase_date", 30) }},
            'first purchase',
            'the first purchase is 30 days old'
        from silences
        where purchase_number = 1
        union all
        select
            customer_id,
            'at_risk',
            at_risk_from,
            {{ add_days("next_purchase_date", -1) }},
            'silent for '
            || cast(at_risk_after_days + 1 as string)
            || ' days'
            || case
                when threshold_source in ('bucket', 'pooled')
                then
                    ': of those who came back within '
                    || cast(settings.follow_up_days as string)
                    || ' days, 4 in 5 had by then'
                else ''
            end,
            'bought again after ' || cast(days_to_next_purchase as string) || ' days'
        from silences
        cross join settings
        where at_risk_from < coalesce(next_purchase_date, {{ add_days("at_risk_from", 1) }})
        union all
        select
            customer_id,
            'inactive',
            inactive_from,
            {{ add_days("next_purchase_date", -1) }},
            'silent for '
            || cast(inactive_after_days + 1 as string)
            || ' days'
            || coalesce(
                ': '
                || cast(cast(round(100 * return_chance_90_days, 0) as integer) as string)
                || ' % of customers silent this long return within the next 90 days',
                ''
            ),
            'bought again after ' || cast(days_to_next_purchase as string) || ' days'
        from silences
        where inactive_from < coalesce(next_purchase_date, {{ add_days("inactive_from", 1) }})
        union all
        select
            customer_id,
            'won_back',
            next_purchase_date,
            {{ add_days("next_purchase_date", 90) }},
            'came back after ' || cast(days_to_next_purchase as string) || ' days of silence',
            'came back 90 days ago'
        from silences
        where is_won_back
        union all
        select
            customer_id,
            span_type,
            starts_on,
            ends_on,
            'among the top 5 % of buyers of the last 365 days',
            'no longer among the top 5 % of buyers of the last 365 days'
        from held_ranks
        union all
        select
            customer_id,
            'negative_experience',
            known_date,
            least(
                {{ add_days("known_date", 90) }},
                coalesce({{ add_days("put_right_on", -1) }}, {{ add_days("known_date", 90) }})
            ),
            {{ experience_in_words("signal_type") }},
            case
                when put_right_on is null
                then 'the bad experience is 90 days old'
                else 'a good experience followed'
            end
        from bad
        where not is_good
        union all
        select
            customer_id,
            'cart_abandoner',
            abandoned_on,
            least(
                {{ add_days("left_on", 30) }},
                coalesce({{ add_days("resumed_on", -1) }}, {{ add_days("left_on", 30) }})
            ),
            'left a cart and did not order within 24 hours',
            case
                when resumed_on is null or resumed_on > {{ add_days("left_on", 30) }}
                then 'the cart was left 30 days ago'
                when is_resumed
                then 'went on with the cart'
                else 'somebody else logged in on the device'
            end
        from {{ ref("int_carts__abandonments") }}

    )

select *
from spans
where ends_on is null or ends_on >= starts_on
qualify
    row_number() over (
        partition by customer_id, span_type, starts_on
        order by ends_on desc nulls first, start_reason, end_reason
    )
    = 1
