-- 1. order_number counts the valid orders of a customer; orders without a customer take none.
-- 2. purchase_number counts purchase occasions: the valid orders of one calendar date are one, or
-- each order by itself where the setting merge_same_day_orders is off.
with

    settings as (select * from {{ ref("int_run__settings") }}),

    orders as (

        select
            orders.*,
            row_number() over (
                partition by orders.customer_id order by orders.ordered_at, orders.order_id
            ) as order_number,
            case
                when settings.merge_same_day_orders
                then dense_rank() over (partition by orders.customer_id order by orders.order_date)
                else
                    row_number() over (
                        partition by orders.customer_id order by orders.ordered_at, orders.order_id
                    )
            end as purchase_number
        from {{ ref("int_orders__valued") }} as orders
        cross join settings
        where orders.is_valid and orders.customer_id is not null

    )

select order_id, customer_id, order_number, purchase_number
from orders
