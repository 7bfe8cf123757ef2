with

    products as (select * from {{ source("olist", "products") }}),

    translations as (

        select product_category_name, product_category_name_english
        from {{ source("olist", "category_translations") }}
        qualify
            row_number() over (partition by product_category_name order by _file desc, _row desc)
            = 1

    )

select
    'olist' as source_name,
    products.product_id,
    cast(null as string) as name,
    coalesce(
        translations.product_category_name_english, products.product_category_name
    ) as category,
    cast(null as string) as brand,
    cast(null as decimal(18, 6)) as unit_cost,
    cast(null as timestamp) as updated_at,
    products._file,
    products._row
from products
left join translations on products.product_category_name = translations.product_category_name
