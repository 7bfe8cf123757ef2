{# The status of the contract for an order of Shopify; columns of the order, `is_test` a condition. #}
{% macro shopify_order_status(financial_status, fulfillment_status, cancelled_at, is_test) -%}
    case
        when {{ is_test }}
        then 'test'
        when {{ cancelled_at }} is not null
        then 'cancelled'
        when {{ financial_status }} = 'voided'
        then 'voided'
        when {{ financial_status }} = 'expired'
        then 'unpaid'
        when {{ financial_status }} in ('pending', 'authorized')
        then 'pending'
        when lower({{ fulfillment_status }}) = 'fulfilled'
        then 'shipped'
        else 'paid'
    end
{%- endmacro %}

{# Where an order was placed, in the words of the contract. #}
{% macro shopify_sales_channel(source_name) -%}
    case when {{ source_name }} = 'pos' then 'shop' else {{ source_name }} end
{%- endmacro %}

{#
    Adds to every row of an order with its lines: order_discount, what Shopify took off beyond the discounts of the
    lines, and is_incomplete. Shopify's own subtotal decides: it is what is left after all discounts on goods, and unlike
    the total of discounts knows none on shipping. Lines that are worth less than the subtotal are not all there.

    lines: name of a CTE with order_id, line_type, gross, line_discount, subtotal, total_discount.
#}
{% macro shopify_discounted(lines) -%}
    select
        summed.*,
        case
            when is_incomplete
            then null
            when subtotal is null
            then greatest(coalesce(total_discount, 0) - order_line_discount, 0)
            else greatest(order_gross - order_tips - order_line_discount - subtotal, 0)
        end as order_discount
    from
        (
            select
                added.*,
                coalesce(order_gross - order_line_discount < subtotal, false) as is_incomplete
            from
                (
                    select
                        lines.*,
                        coalesce(sum(gross) over (partition by order_id), 0) as order_gross,
                        coalesce(
                            sum(line_discount) over (partition by order_id), 0
                        ) as order_line_discount,
                        coalesce(
                            sum(case when line_type = 'fee' then gross end) over (
                                partition by order_id
                            ),
                            0
                        ) as order_tips,
                        coalesce(
                            sum(
                                case when line_type = 'merchandise' then gross - line_discount end
                            ) over (partition by order_id),
                            0
                        ) as order_merchandise
                    from {{ lines }} as lines
                ) as added
        ) as summed
{%- endmacro %}

{#
    The order export, one row per row of the latest version of each order, the fields of the order on each of them.

    1. A version begins with a row that has fields of the order. Rows without, at the very beginning of a file, go on with
       what the file before ended with; elsewhere the row that they follow is lost.
    2. The latest version counts whole; of an order that the sync tables hold, none.
    3. Rows without a version have no order_id.

    rows: name of a CTE with the raw rows; synced: name of a CTE with id and name of the orders of the sync tables.
#}
{% macro shopify_exported(rows, synced) -%}
    with

        marked as (

            select
                *,
                case
                    when
                        coalesce(
                            id,
                            financial_status,
                            cast(subtotal as string),
                            cast(created_at as string)
                        )
                        is not null
                    then 1
                    else 0
                end as is_first
            from {{ rows }}

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
                row_number() over (partition by coalesce(id, name) order by _file desc, _row desc)
                = 1

        ),

        known as (select distinct name from latest),

        synced_ids as (select distinct id from {{ synced }}),

        synced_names as (select distinct name from {{ synced }}),

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
{%- endmacro %}

{# What a line of the sync tables is; `lines` are columns of order_lines. #}
{% macro shopify_line_type(lines) -%}
    case
        when {{ lines }}.is_gift_card
        then 'gift_card'
        when {{ lines }}.title = 'Tip' and {{ lines }}.product_id is null
        then 'fee'
        else 'merchandise'
    end
{%- endmacro %}

{#
    The lines of the sync tables with their discounts. Where the tables say what each discount took off the line
    (discount_allocations), that is the discount; else what stands on the line.

    orders, lines, allocations: names of CTEs with the raw rows.
#}
{% macro shopify_synced_lines(orders, lines, allocations) -%}
    with

        latest_orders as ({{ shopify_latest(orders, "updated_at") }}),

        latest_lines as ({{ shopify_latest(lines) }}),

        allocated as (

            select order_line_id, sum(amount) as amount
            from
                (
                    select *
                    from {{ allocations }}
                    qualify
                        row_number() over (
                            partition by order_line_id, position order by _file desc, _row desc
                        )
                        = 1
                ) as latest_allocations
            group by order_line_id

        ),

        placed as (

            select
                latest_lines.id,
                latest_lines.order_id,
                latest_lines.product_id,
                latest_lines.variant_id,
                latest_lines.title,
                latest_lines.quantity,
                coalesce(
                    latest_lines.price,
                    cast(
                        round(
                            latest_lines.original_total / nullif(latest_lines.quantity, 0), 6
                        ) as decimal(18, 6)
                    )
                ) as unit_price,
                {{ shopify_line_type("latest_lines") }} as line_type,
                coalesce(
                    latest_lines.original_total,
                    cast(latest_lines.quantity as decimal(28, 3)) * latest_lines.price
                ) as gross,
                coalesce(allocated.amount, latest_lines.total_discount, 0) as line_discount,
                latest_orders.subtotal_price as subtotal,
                latest_orders.total_discounts as total_discount,
                latest_lines._file,
                latest_lines._row
            from latest_lines
            left join latest_orders on latest_lines.order_id = latest_orders.id
            left join allocated on latest_lines.id = allocated.order_line_id

        )

        {{ shopify_discounted("placed") }}
{%- endmacro %}

{# The latest row of each id. rows: name of a CTE with raw rows; `version`: the column that says which is later. #}
{% macro shopify_latest(rows, version=none) -%}
    select *
    from {{ rows }}
    qualify
        row_number() over (
            partition by id
            order by
                {% if version %} {{ version }} desc nulls last,{% endif %} _file desc, _row desc
        )
        = 1
{%- endmacro %}
