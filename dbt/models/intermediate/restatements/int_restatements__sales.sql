select
    {{ month_start("sales.sales_date") }} as month,
    cast(sum(sales.orders) as bigint) as orders,
    {{ money("sum(sales.gross_sales)") }} as gross_sales,
    {{ money("sum(sales.net_sales_by_refund_date)") }} as net_sales_by_refund_date
from {{ source("previous", "fct_sales_daily") }} as sales
cross join {{ ref("int_restatements__publication") }}
group by 1
