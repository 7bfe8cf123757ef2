with

    cut_offs as (

        select cut_off_date, {{ add_days("cut_off_date", -365) }} as year_ago_date
        from {{ ref("int_cross_sell__cut_offs") }}

    ),

    sold as (

        select
            cut_offs.cut_off_date,
            categories.category,
            count(*) as purchases,
            sum(categories.margin) as margin
        from {{ ref("int_cross_sell__categories") }} as categories
        inner join
            cut_offs
            on categories.purchase_date <= cut_offs.cut_off_date
            and categories.purchase_date > cut_offs.year_ago_date
        group by cut_offs.cut_off_date, categories.category

    )

select
    cut_off_date,
    category,
    cast(purchases as integer) as purchases,
    {{ money_per("margin", "purchases") }} as expected_margin,
    row_number() over (
        partition by cut_off_date order by purchases desc, category
    ) as popularity_rank
from sold
