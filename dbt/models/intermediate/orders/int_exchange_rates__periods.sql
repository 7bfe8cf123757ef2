-- 1. A rate serves until the next one of its pair, for at most 7 days after its own day.
-- 2. Where only the opposite rate is given, its reciprocal serves.
with

    rates as (select * from {{ ref("stg_exchange_rates") }}),

    settings as (select * from {{ ref("int_run__settings") }}),

    to_reporting as (

        select rates.from_currency as currency, rates.rate_date, rates.rate, 1 as preference
        from rates
        inner join settings on rates.to_currency = settings.reporting_currency
        union all
        select
            rates.to_currency as currency,
            rates.rate_date,
            cast(1 / cast(rates.rate as double) as decimal(28, 14)) as rate,
            2 as preference
        from rates
        inner join settings on rates.from_currency = settings.reporting_currency

    ),

    one_per_day as (

        select currency, rate_date, rate
        from to_reporting
        qualify row_number() over (partition by currency, rate_date order by preference, rate) = 1

    )

select
    currency,
    cast(rate as decimal(28, 14)) as rate,
    rate_date as valid_from,
    least(
        {{ add_days("rate_date", 7) }},
        {{
            add_days(
                "coalesce(lead(rate_date) over (partition by currency order by rate_date), cast('9999-12-31' as date))",
                -1,
            )
        }}
    ) as valid_to
from one_per_day
