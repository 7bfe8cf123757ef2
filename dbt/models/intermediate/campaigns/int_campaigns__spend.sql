-- Spend on the campaign all of a channel is that of the campaign "<channel> (all)".
with

    settings as (select * from {{ ref("int_run__settings") }}),

    rates as (select * from {{ ref("int_exchange_rates__periods") }}),

    currencies as (select * from {{ ref("currencies") }}),

    spend as (

        select
            case
                when spend.campaign = 'all' then spend.channel || ' (all)' else spend.campaign
            end as campaign,
            spend.channel,
            {{
                round_money(
                    "spend.amount * case when coalesce(spend.currency, settings.reporting_currency) = settings.reporting_currency then 1 else rates.rate end"
                )
            }}
            as amount,
            {{ month_start("spend.spend_date") }} as month
        from {{ ref("stg_marketing_spend") }} as spend
        cross join settings
        inner join currencies on settings.reporting_currency = currencies.currency
        left join
            rates
            on spend.currency = rates.currency
            and spend.spend_date between rates.valid_from and rates.valid_to
        where spend.spend_date <= settings.as_of_date

    )

select
    campaign,
    channel,
    month,
    -- One amount without an exchange rate leaves the sum unknown.
    {{ money("case when count(*) = count(amount) then sum(amount) end") }} as amount
from spend
group by campaign, channel, month
