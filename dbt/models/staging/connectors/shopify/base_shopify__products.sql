-- In the exports a product is known by its SKU, without one by its title, for that is what the
-- lines of the order export know; in the sync tables by its id.
with

    exported as (

        select
            coalesce(variant_sku, title) as product_id,
            max(title) over (partition by handle, _file) as name,
            max(type) over (partition by handle, _file) as category,
            max(vendor) over (partition by handle, _file) as brand,
            cost_per_item as unit_cost,
            _file,
            _row
        from {{ source("shopify", "products_export") }}

    ),

    united as (

        select
            product_id,
            name,
            category,
            brand,
            unit_cost,
            cast(null as timestamp) as updated_at,
            _file,
            _row
        from exported
        where product_id is not null
        union all
        select
            id as product_id,
            title as name,
            product_type as category,
            vendor as brand,
            cast(null as decimal(18, 6)) as unit_cost,
            updated_at,
            _file,
            _row
        from {{ source("shopify", "products") }}

    )

select
    'shopify' as source_name, product_id, name, category, brand, unit_cost, updated_at, _file, _row
from united
