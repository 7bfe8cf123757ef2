-- As many categories for each customer as there are opportunities: those most bought in the shop in
-- the 365 days before the cut-off that he had not bought. No rank beyond the number of categories
-- that he had is needed to find them.
with

    customers as (

        select opportunities.cut_off_date, opportunities.customer_id, count(*) as opportunities
        from {{ ref("int_cross_sell__opportunities") }} as opportunities
        where opportunities.has_bought is not null
        group by opportunities.cut_off_date, opportunities.customer_id

    ),

    firsts as (

        select customer_id, category, purchase_date, margin
        from {{ ref("int_cross_sell__categories") }}
        where is_first

    ),

    had as (

        select customers.cut_off_date, customers.customer_id, count(*) as categories
        from customers
        inner join
            firsts
            on customers.customer_id = firsts.customer_id
            and customers.cut_off_date >= firsts.purchase_date
        group by customers.cut_off_date, customers.customer_id

    ),

    needed as (

        select
            customers.cut_off_date,
            customers.customer_id,
            customers.opportunities,
            customers.opportunities + had.categories as last_rank
        from customers
        inner join
            had
            on customers.cut_off_date = had.cut_off_date
            and customers.customer_id = had.customer_id

    ),

    ranked as (

        select
            needed.cut_off_date,
            needed.customer_id,
            needed.opportunities,
            popular.category,
            firsts.purchase_date as bought_date,
            firsts.margin,
            row_number() over (
                partition by needed.cut_off_date, needed.customer_id
                order by popular.popularity_rank
            ) as opportunity_rank
        from needed
        inner join
            {{ ref("int_cross_sell__values") }} as popular
            on needed.cut_off_date = popular.cut_off_date
            and needed.last_rank >= popular.popularity_rank
        left join
            firsts on needed.customer_id = firsts.customer_id and popular.category = firsts.category
        where coalesce(firsts.purchase_date, date '9999-12-31') > needed.cut_off_date

    )

select
    ranked.cut_off_date,
    ranked.customer_id,
    ranked.category,
    cast(ranked.opportunity_rank as integer) as opportunity_rank,
    coalesce(ranked.bought_date, date '9999-12-31') <= cut_offs.graded_until_date as has_bought,
    case
        when coalesce(ranked.bought_date, date '9999-12-31') <= cut_offs.graded_until_date
        then ranked.margin
    end as margin
from ranked
inner join
    {{ ref("int_cross_sell__cut_offs") }} as cut_offs on ranked.cut_off_date = cut_offs.cut_off_date
where ranked.opportunity_rank <= ranked.opportunities
