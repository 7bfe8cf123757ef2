-- 1. At each month start the buyers of the 365 days before it are ranked by what was known then:
-- net sales (refunds of that time taken off, also those of no order), purchase occasions, visits.
-- Where there are no events
-- all tie in visits, and these decide nothing.
-- 2. The score is the mean of the midrank shares, kept in whole numbers: twice the buyers below and
-- once those that tie.
-- 3. Heroes are the top 5 % by score with two occasions or more; top value is the top 5 % by sales.
with

    months as (

        select period_start as rank_month, period_end
        from {{ ref("int_calendar__periods") }}
        where period_type = 'month'

    ),

    orders as (

        select
            order_id, customer_id, order_date, gross_sales - discount_amount as sales_before_refunds
        from {{ ref("int_orders__valued") }}
        where is_valid and customer_id is not null

    ),

    refunds as (

        select order_id, refund_date, amount
        from {{ ref("int_refunds__matched") }}
        where order_id is not null and line_type = 'merchandise'

    ),

    sold as (

        select months.rank_month, orders.customer_id, orders.sales_before_refunds as amount
        from orders
        inner join
            months
            on orders.order_date < months.rank_month
            and orders.order_date >= {{ add_days("months.rank_month", -365) }}
        union all
        select months.rank_month, orders.customer_id, - refunds.amount as amount
        from refunds
        inner join orders on refunds.order_id = orders.order_id
        inner join
            months
            on refunds.refund_date < months.rank_month
            and orders.order_date < months.rank_month
            and orders.order_date >= {{ add_days("months.rank_month", -365) }}
        union all
        select months.rank_month, entries.customer_id, entries.net_sales as amount
        from {{ ref("int_sales__entries") }} as entries
        inner join
            months
            on entries.entry_date < months.rank_month
            and entries.entry_date >= {{ add_days("months.rank_month", -365) }}
        where entries.entry_type = 'refund' and entries.customer_id is not null

    ),

    sales as (

        select rank_month, customer_id, sum(amount) as net_sales
        from sold
        group by rank_month, customer_id

    ),

    occasions as (

        select months.rank_month, purchases.customer_id, count(*) as purchases
        from {{ ref("int_purchases__occasions") }} as purchases
        inner join
            months
            on purchases.purchase_date < months.rank_month
            and purchases.purchase_date >= {{ add_days("months.rank_month", -365) }}
        group by months.rank_month, purchases.customer_id

    ),

    visits as (

        select months.rank_month, identified.customer_id_then as customer_id, count(*) as visits
        from {{ ref("int_events__sessions") }} as sessions
        inner join
            {{ ref("int_sessions__identified") }} as identified
            on sessions.session_id = identified.session_id
        inner join
            months
            on sessions.event_date < months.rank_month
            and sessions.event_date >= {{ add_days("months.rank_month", -365) }}
            and identified.known_from < months.rank_month
        where
            sessions.bot_reason is null
            and identified.customer_id_then is not null
            and coalesce(identified.known_until, months.rank_month)
            >= {{ add_days("months.rank_month", -1) }}
        group by months.rank_month, identified.customer_id_then

    ),

    measured as (

        select
            occasions.rank_month,
            occasions.customer_id,
            occasions.purchases,
            sales.net_sales,
            coalesce(visits.visits, 0) as visits
        from occasions
        inner join
            sales
            on occasions.rank_month = sales.rank_month
            and occasions.customer_id = sales.customer_id
        left join
            visits
            on occasions.rank_month = visits.rank_month
            and occasions.customer_id = visits.customer_id

    ),

    ranked as (

        select
            *,
            count(*) over (partition by rank_month) as buyers,
            count(*) over (
                partition by rank_month order by net_sales desc range unbounded preceding
            ) as as_much_sold,
            2 * rank() over (partition by rank_month order by net_sales)
            + count(*) over (partition by rank_month, net_sales)
            + 2 * rank() over (partition by rank_month order by purchases)
            + count(*) over (partition by rank_month, purchases)
            + 2 * rank() over (partition by rank_month order by visits)
            + count(*) over (partition by rank_month, visits) as score
        from measured

    ),

    scored as (

        select
            *,
            count(*) over (
                partition by rank_month order by score desc range unbounded preceding
            ) as as_high_scored
        from ranked

    )

select
    scored.customer_id,
    scored.rank_month,
    months.period_end as rank_month_end,
    scored.purchases,
    scored.visits,
    scored.as_much_sold - 1 < 0.05 * scored.buyers as is_top_value,
    scored.as_high_scored - 1 < 0.05 * scored.buyers and scored.purchases >= 2 as is_hero
from scored
inner join months on scored.rank_month = months.rank_month
