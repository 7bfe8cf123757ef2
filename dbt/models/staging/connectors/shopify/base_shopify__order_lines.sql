-- Lines of an order that is not known, or not wholly, name an order that there is none of: they
-- stand in the books as lines without order.
with

    variant_rows as (select * from {{ source("shopify", "product_variants") }}),

    item_rows as (select * from {{ source("shopify", "inventory_items") }}),

    variants as ({{ shopify_latest("variant_rows") }}),

    items as ({{ shopify_latest("item_rows") }}),

    exported as (select * from {{ ref("base_shopify__exported") }}),

    synced as (select * from {{ ref("base_shopify__synced_lines") }}),

    united as (

        select
            coalesce(order_id, order_name) as order_id,
            is_incomplete or order_id is null as is_incomplete,
            row_number() over (
                partition by coalesce(order_id, order_name) order by _file, _row
            ) as line_number,
            coalesce(line_sku, line_name) as product_id,
            line_name as product_name,
            line_type,
            line_quantity as quantity,
            line_price as unit_price,
            line_discount as discount_amount,
            cast(null as decimal(18, 6)) as unit_cost,
            _file,
            _row
        from exported
        where line_quantity is not null and line_price is not null
        union all
        select
            synced.order_id,
            synced.is_incomplete,
            synced.id as line_number,
            synced.product_id,
            synced.title as product_name,
            synced.line_type,
            synced.quantity,
            synced.unit_price,
            synced.line_discount as discount_amount,
            coalesce(items.unit_cost_amount, items.cost) as unit_cost,
            synced._file,
            synced._row
        from synced
        left join variants on synced.variant_id = variants.id
        left join items on variants.inventory_item_id = items.id
        where synced.unit_price is not null

    )

select
    'shopify' as source_name,
    case when is_incomplete then order_id || ' (incomplete)' else order_id end as order_id,
    cast(line_number as bigint) as line_number,
    product_id,
    product_name,
    cast(null as string) as category,
    line_type,
    cast(quantity as decimal(18, 3)) as quantity,
    cast(unit_price as decimal(18, 6)) as unit_price,
    cast(discount_amount as decimal(18, 6)) as discount_amount,
    cast(unit_cost as decimal(18, 6)) as unit_cost,
    cast(null as timestamp) as updated_at,
    _file,
    _row
from united
