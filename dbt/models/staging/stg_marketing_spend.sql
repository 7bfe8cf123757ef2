with

    delivered as ({{ union_connectors("marketing_spend") }}),

    latest as (

        select *
        from delivered
        qualify
            row_number() over (
                partition by source_name, spend_date, channel, campaign
                order by updated_at desc nulls last, _file desc, _row desc
            )
            = 1

    )

select source_name, spend_date, channel, campaign, currency, amount, updated_at
from latest
