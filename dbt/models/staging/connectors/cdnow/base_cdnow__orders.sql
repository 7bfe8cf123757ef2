-- CDNOW's rows have no key: over overlapping files each identical row counts as often as in the
-- file that holds it most often; keep_identical_rows = false takes it once. Rows of one customer
-- and day keep the order of the file.
with

    settings as (select * from {{ ref("stg_run_settings") }}),

    transactions as (

        select customer_id, purchased_at, quantity, amount, _file, _row
        from {{ source("cdnow", "transactions") }}
        union all
        select customer_id, purchased_at, quantity, amount, _file, _row
        from {{ source("cdnow", "sample_transactions") }}

    ),

    copies as (

        select
            *,
            row_number() over (
                partition by _file, customer_id, purchased_at, quantity, amount order by _row
            ) as copy_number
        from transactions

    ),

    distinct_transactions as (

        select *
        from copies
        qualify
            row_number() over (
                partition by customer_id, purchased_at, quantity, amount, copy_number
                order by _file, _row
            )
            = 1

    ),

    numbered as (

        select
            distinct_transactions.*,
            row_number() over (
                partition by customer_id, purchased_at order by _file, _row
            ) as day_number
        from distinct_transactions
        cross join settings
        where settings.keep_identical_rows or distinct_transactions.copy_number = 1

    )

select
    'cdnow' as source_name,
    customer_id
    || '-'
    || replace(cast(cast(purchased_at as date) as string), '-', '')
    || '-'
    || lpad(cast(day_number as string), 4, '0') as order_id,
    customer_id,
    cast(null as string) as customer_email_hash,
    'completed' as order_status,
    'USD' as currency,
    'web' as sales_channel,
    cast(null as string) as acquisition_channel,
    cast(null as string) as campaign,
    cast(null as string) as device,
    cast(null as string) as country_code,
    cast(null as string) as discount_code,
    amount as merchandise_amount,
    cast(null as decimal(18, 6)) as discount_amount,
    cast(null as decimal(18, 6)) as shipping_amount,
    cast(null as decimal(18, 6)) as tax_amount,
    cast(null as decimal(18, 6)) as tip_amount,
    purchased_at as ordered_at,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from numbered
