-- Every row of the latest version of each order of the order export, the fields of the order on
-- each of them. Kept as a table, for four models read it.
-- 1. A version begins with a row that has fields of the order. Rows without, at the very beginning
-- of a file, go on with what the file before ended with; elsewhere the row they follow is lost.
-- 2. The latest version counts whole; of an order that the sync tables hold, none.
-- 3. Rows without a version have no order_id.
{{ config(materialized="table") }}

with

    marked as (

        select
            *,
            case
                when
                    coalesce(
                        id, financial_status, cast(subtotal as string), cast(created_at as string)
                    )
                    is not null
                then 1
                else 0
            end as is_first
        from {{ source("shopify", "orders_export") }}

    ),

    versioned as (

        select
            *,
            sum(is_first) over (
                partition by name order by _file, _row rows unbounded preceding
            ) as version_number,
            sum(is_first) over (
                partition by name, _file order by _row rows unbounded preceding
            ) as versions_in_file,
            min(_row) over (partition by name, _file) as first_row,
            max(_file) over (partition by name) as latest_file
        from marked

    ),

    latest as (

        select coalesce(id, name) as order_id, *
        from versioned
        where is_first = 1 and created_at is not null
        qualify
            row_number() over (partition by coalesce(id, name) order by _file desc, _row desc) = 1

    ),

    known as (select distinct name from latest),

    synced_ids as (select distinct id from {{ source("shopify", "orders") }}),

    synced_names as (select distinct name from {{ source("shopify", "orders") }}),

    placed as (

        select
            latest.order_id,
            versioned.name as order_name,
            versioned.is_first = 1 and latest.order_id is not null as is_order,
            latest.email_hash,
            latest.financial_status,
            latest.fulfillment_status,
            latest.currency,
            latest.subtotal,
            latest.shipping,
            latest.taxes,
            latest.total,
            latest.discount_code,
            latest.discount_amount as total_discount,
            latest.created_at,
            latest.paid_at,
            latest.cancelled_at,
            latest.payment_method,
            coalesce(latest.refunded_amount, 0) as refunded_amount,
            latest.outstanding_balance,
            latest.source,
            coalesce(latest.shipping_country, latest.billing_country) as country_code,
            versioned.line_quantity,
            versioned.line_price,
            versioned.line_name,
            versioned.line_sku,
            coalesce(versioned.line_discount, 0) as line_discount,
            case
                when lower(versioned.line_name) = 'tip' and versioned.line_sku is null
                then 'fee'
                when
                    lower(versioned.line_name) like '%gift card%'
                    and not versioned.line_requires_shipping
                then 'gift_card'
                else 'merchandise'
            end as line_type,
            cast(versioned.line_quantity as decimal(28, 3)) * versioned.line_price as gross,
            versioned._file,
            versioned._row
        from versioned
        left join
            latest
            on versioned.name = latest.name
            and case
                when versioned.versions_in_file > 0 or versioned.first_row = 1
                then versioned.version_number
            end
            = latest.version_number
        left join known on versioned.name = known.name
        left join synced_ids on latest.id = synced_ids.id
        left join synced_names on versioned.name = synced_names.name
        where
            synced_ids.id is null
            and (latest.id is not null or synced_names.name is null)
            and (
                latest.order_id is not null
                or (known.name is null and versioned._file = versioned.latest_file)
            )

    )

    {{ shopify_discounted("placed") }}
