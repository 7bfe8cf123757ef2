-- Kept as a table, for five models read it.
-- 1. Lines have no key: over overlapping files each identical line counts as often as in the file
-- that holds it most often; keep_identical_rows = false takes it once.
-- 2. What is not a good is told by its stock code. Stock that was written off stands on invoices
-- with a quantity below 0; what else stands on a cancelling invoice corrects it.
{{ config(materialized="table") }}

with

    settings as (select * from {{ ref("stg_run_settings") }}),

    lines as (

        select
            upper(invoice_no) as invoice_no,
            upper(stock_code) as stock_code,
            description,
            quantity,
            invoiced_at,
            unit_price,
            regexp_replace(customer_id, '[.]0$', '') as customer_id,
            country,
            _file,
            _row
        from {{ source("online_retail", "invoice_lines") }}

    ),

    copies as (

        select
            *,
            row_number() over (
                partition by
                    _file,
                    invoice_no,
                    stock_code,
                    description,
                    quantity,
                    invoiced_at,
                    unit_price,
                    customer_id,
                    country
                order by _row
            ) as copy_number
        from lines

    ),

    distinct_lines as (

        select *
        from copies
        qualify
            row_number() over (
                partition by
                    invoice_no,
                    stock_code,
                    description,
                    quantity,
                    invoiced_at,
                    unit_price,
                    customer_id,
                    country,
                    copy_number
                order by _file, _row
            )
            = 1

    ),

    typed as (

        select
            distinct_lines.*,
            case
                when stock_code in ('POST', 'DOT', 'C2', 'C3')
                then 'postage'
                when stock_code in ('AMAZONFEE', 'BANK CHARGES', 'CRUK')
                then 'fee'
                when stock_code like 'GIFT%'
                then 'gift_card'
                when
                    stock_code in ('M', 'D', 'S', 'B')
                    or stock_code like 'ADJUST%'
                    or stock_code like 'TEST%'
                then 'adjustment'
                else 'merchandise'
            end as code_type,
            invoice_no like 'C%' and quantity <= 0 as is_refund,
            row_number() over (partition by invoice_no order by _file, _row) as line_number
        from distinct_lines
        cross join settings
        where settings.keep_identical_rows or distinct_lines.copy_number = 1

    )

select
    invoice_no,
    line_number,
    stock_code,
    description,
    case
        when code_type = 'merchandise' and not is_refund and (quantity < 0 or invoice_no like 'C%')
        then 'adjustment'
        else code_type
    end as line_type,
    quantity,
    unit_price,
    customer_id,
    country,
    is_refund,
    invoiced_at,
    _file,
    _row
from typed
