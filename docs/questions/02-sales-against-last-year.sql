-- How do our sales compare with the same month a year ago?
--
-- A row is a calendar month: orders, net sales by order date, and their change against the
-- same month of the year before, in percent. The last month goes up to the date of the data
-- and may be a part of a month.
with

    months as (

        select
            cast(date_trunc('month', sales_date) as date) as month,
            sum(orders) as orders,
            sum(net_sales_by_order_date) as net_sales
        from fct_sales_daily
        group by 1

    )

select
    months.month,
    months.orders,
    months.net_sales,
    year_before.net_sales as net_sales_year_before,
    round(
        cast(100 * (months.net_sales / nullif(year_before.net_sales, 0)) - 100 as decimal(18, 6)), 1
    ) as change_percent
from months
left join
    months as year_before on cast(year_before.month + interval '1 year' as date) = months.month
order by months.month
