-- What is younger than refunds_known_after_days has not given back all that it will; where nothing
-- is older, all counts. Refunds without an order stand at their own date.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    sold as (

        select
            purchase_date as entry_date,
            sales_before_refunds,
            net_sales,
            contribution_margin,
            sales_with_known_cost
        from {{ ref("int_purchases__occasions") }}
        union all
        select entries.entry_date, 0, entries.net_sales, entries.contribution_margin, 0
        from {{ ref("int_sales__entries") }} as entries
        inner join
            {{ ref("int_customers__acquired") }} as buyers
            on entries.customer_id = buyers.customer_id
        where entries.entry_type = 'refund'

    ),

    summed as (

        select
            {{ days_between("sold.entry_date", "settings.as_of_date") }}
            >= settings.refunds_known_after_days as is_mature,
            sum(sold.sales_before_refunds) as sales_before_refunds,
            sum(sold.net_sales) as net_sales,
            sum(sold.contribution_margin) as contribution_margin,
            sum(sold.sales_with_known_cost) as sales_with_known_cost
        from sold
        cross join settings
        group by 1

    ),

    flagged as (

        select
            *,
            max(case when is_mature and sales_before_refunds > 0 then 1 else 0 end) over (
            ) as any_is_mature
        from summed

    ),

    counted as (

        select
            sum(sales_before_refunds) as sales_before_refunds,
            sum(net_sales) as net_sales,
            sum(contribution_margin) as contribution_margin,
            sum(sales_with_known_cost) as sales_with_known_cost
        from flagged
        where is_mature or any_is_mature = 0

    )

select
    case when net_sales > 0 then {{ share("net_sales", "sales_before_refunds") }} end as kept_share,
    case
        when net_sales > 0 then {{ share("contribution_margin", "net_sales") }}
    end as margin_share,
    {{ share("sales_with_known_cost", "sales_before_refunds") }} as known_cost_share
from counted
