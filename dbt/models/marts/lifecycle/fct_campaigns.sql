-- 1. New customers are those whose first purchase fell into the month; cost and value are those of
-- the last touch, for it is nearest to the month in which the money was spent.
-- 2. Value within N days only of those who have had N days.
-- 3. Paid back in the first month since in which their margin so far reaches the spend.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    spend as (

        select
            campaign,
            month,
            case when count(distinct channel) = 1 then min(channel) else 'several' end as channel,
            case when count(*) = count(amount) then sum(amount) end as amount
        from {{ ref("int_campaigns__spend") }}
        group by campaign, month

    ),

    visits as (

        select
            campaign,
            {{ month_start("touch_date") }} as month,
            count(*) as sessions,
            case when count(distinct channel) = 1 then min(channel) else 'several' end as channel
        from {{ ref("int_campaigns__touches") }}
        where touch_type = 'session'
        group by campaign, {{ month_start("touch_date") }}

    ),

    acquired as (

        select *, {{ month_start("first_purchase_date") }} as month
        from {{ ref("int_campaigns__acquired") }}

    ),

    first_touches as (

        select
            first_touch_campaign as campaign,
            month,
            count(*) as customers,
            case
                when count(distinct first_touch_channel) = 1
                then min(first_touch_channel)
                else 'several'
            end as channel
        from acquired
        where first_touch_campaign is not null
        group by first_touch_campaign, month

    ),

    last_touches as (

        select
            acquired.last_touch_campaign as campaign,
            acquired.month,
            count(*) as customers,
            {% for days in [90, 365] -%}
                count(*) filter (
                    where
                        {{ add_days("acquired.first_purchase_date", days) }} <= settings.as_of_date
                ) as mature_customers_{{ days }}_days,
            {% endfor -%}
            case
                when count(distinct acquired.last_touch_channel) = 1
                then min(acquired.last_touch_channel)
                else 'several'
            end as channel
        from acquired
        cross join settings
        where acquired.last_touch_campaign is not null
        group by acquired.last_touch_campaign, acquired.month

    ),

    purchases as (

        select
            acquired.last_touch_campaign as campaign,
            acquired.month,
            purchases.net_sales,
            purchases.contribution_margin,
            purchases.days_since_first_purchase,
            {{ months_between("acquired.month", "purchases.purchase_date") }} as month_since,
            {{ days_between("acquired.first_purchase_date", "settings.as_of_date") }}
            as followed_days
        from {{ ref("int_purchases__occasions") }} as purchases
        inner join acquired on purchases.customer_id = acquired.customer_id
        cross join settings
        where acquired.last_touch_campaign is not null

    ),

    value as (

        select
            campaign,
            month,
            {% for days in [90, 365] -%}
                sum(net_sales) filter (
                    where followed_days >= {{ days }} and days_since_first_purchase <= {{ days }}
                ) as net_sales_{{ days }}_days,
            {% endfor -%}
            sum(contribution_margin) filter (
                where followed_days >= 365 and days_since_first_purchase <= 365
            ) as margin_365_days
        from purchases
        group by campaign, month

    ),

    margin_by_month as (

        select
            campaign,
            month,
            month_since,
            sum(sum(contribution_margin)) over (
                partition by campaign, month
                order by month_since
                rows between unbounded preceding and current row
            ) as margin_so_far
        from purchases
        group by campaign, month, month_since

    ),

    payback as (

        select margins.campaign, margins.month, min(margins.month_since) as payback_months
        from margin_by_month as margins
        inner join spend on margins.campaign = spend.campaign and margins.month = spend.month
        where spend.amount > 0 and margins.margin_so_far >= spend.amount
        group by margins.campaign, margins.month

    ),

    cells as (

        select campaign, month
        from spend
        union
        select campaign, month
        from visits
        union
        select campaign, month
        from first_touches
        union
        select campaign, month
        from last_touches

    )

select
    cells.campaign,
    cells.month,
    coalesce(spend.channel, visits.channel, last_touches.channel, first_touches.channel) as channel,
    {{ money("spend.amount") }} as spend,
    cast(coalesce(visits.sessions, 0) as bigint) as sessions,
    cast(coalesce(first_touches.customers, 0) as bigint) as first_touch_customers,
    cast(coalesce(last_touches.customers, 0) as bigint) as last_touch_customers,
    cast(coalesce(last_touches.mature_customers_90_days, 0) as bigint) as mature_customers_90_days,
    cast(
        coalesce(last_touches.mature_customers_365_days, 0) as bigint
    ) as mature_customers_365_days,
    {{ money_per("nullif(spend.amount, 0)", "last_touches.customers") }} as cac,
    {{ money_per("value.net_sales_90_days", "last_touches.mature_customers_90_days") }}
    as ltv_90_days,
    {{ money_per("value.net_sales_365_days", "last_touches.mature_customers_365_days") }}
    as ltv_365_days,
    {{ money_per("value.margin_365_days", "last_touches.mature_customers_365_days") }}
    as margin_ltv_365_days,
    {{ share("value.margin_365_days", "last_touches.mature_customers_365_days") }}
    / nullif({{ share("spend.amount", "last_touches.customers") }}, 0) as ltv_to_cac,
    cast(payback.payback_months as integer) as payback_months
from cells
left join spend on cells.campaign = spend.campaign and cells.month = spend.month
left join visits on cells.campaign = visits.campaign and cells.month = visits.month
left join
    first_touches on cells.campaign = first_touches.campaign and cells.month = first_touches.month
left join
    last_touches on cells.campaign = last_touches.campaign and cells.month = last_touches.month
left join value on cells.campaign = value.campaign and cells.month = value.month
left join payback on cells.campaign = payback.campaign and cells.month = payback.month
