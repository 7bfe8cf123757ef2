with

    delivered as ({{ union_connectors("exchange_rates") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, rate_date, from_currency, to_currency
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select source_name, rate_date, from_currency, to_currency, rate, updated_at
from latest
