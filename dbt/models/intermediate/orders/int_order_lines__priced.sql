-- 1. An order without lines has one line of its merchandise amount.
-- 2. A line's amount is quantity x list price, rounded once; only merchandise makes sales.
-- 3. The discount on the whole order is spread over its merchandise in proportion to what is left
-- after line discounts: each line takes the difference of two running shares, cut to the minor
-- unit, so that the parts add up to the cent.
with

    orders as (select * from {{ ref("int_orders__dated") }}),

    products as (select * from {{ ref("stg_products") }}),

    currencies as (select * from {{ ref("currencies") }}),

    lines as (

        select
            lines.order_id,
            lines.line_number,
            lines.product_id,
            lines.product_name,
            coalesce(lines.category, products.category) as category,
            coalesce(lines.line_type, 'merchandise') as line_type,
            cast(lines.quantity as decimal(28, 3)) as quantity,
            lines.unit_price,
            coalesce(lines.discount_amount, 0) as discount_amount,
            lines.unit_cost,
            products.unit_cost as product_unit_cost
        from {{ ref("stg_order_lines") }} as lines
        left join products on lines.product_id = products.product_id

    ),

    orders_without_lines as (

        select
            orders.order_id,
            1 as line_number,
            cast(null as string) as product_id,
            cast(null as string) as product_name,
            cast(null as string) as category,
            'merchandise' as line_type,
            cast(1 as decimal(28, 3)) as quantity,
            orders.merchandise_amount as unit_price,
            0 as discount_amount,
            cast(null as decimal(18, 6)) as unit_cost,
            cast(null as decimal(18, 6)) as product_unit_cost
        from orders
        left join lines on orders.order_id = lines.order_id
        where lines.order_id is null and orders.merchandise_amount is not null

    ),

    all_lines as (

        select *
        from lines
        union all
        select *
        from orders_without_lines

    ),

    rounded as (

        select
            all_lines.*,
            orders.currency,
            orders.exchange_rate,
            orders.order_date,
            currencies.minor_units_per_unit,
            currencies.minor_unit_value,
            reporting.minor_units_per_unit as reporting_units_per_unit,
            reporting.minor_unit_value as reporting_unit_value,
            orders.discount_amount as order_discount_amount,
            {{ round_money("all_lines.quantity * all_lines.unit_price") }} as line_amount,
            case
                when all_lines.line_type = 'merchandise'
                then {{ round_money("all_lines.quantity * all_lines.unit_price") }}
                else 0
            end as gross_sales,
            case
                when all_lines.line_type = 'merchandise'
                then {{ round_money("all_lines.discount_amount") }}
                else 0
            end as line_discount,
            {{ round_money("all_lines.quantity * all_lines.unit_cost") }} as line_cost,
            {{ round_money("all_lines.quantity * all_lines.product_unit_cost", "reporting") }}
            as product_cost
        from all_lines
        inner join orders on all_lines.order_id = orders.order_id
        inner join currencies on orders.currency = currencies.currency
        inner join currencies as reporting on orders.reporting_currency = reporting.currency

    ),

    running as (

        select
            *,
            cast((gross_sales - line_discount) * minor_units_per_unit as bigint) as discountable,
            sum(cast((gross_sales - line_discount) * minor_units_per_unit as bigint)) over (
                partition by order_id order by line_number rows unbounded preceding
            ) as discountable_until,
            sum(cast((gross_sales - line_discount) * minor_units_per_unit as bigint)) over (
                partition by order_id
            ) as discountable_total,
            cast(
                coalesce(order_discount_amount, 0) * minor_units_per_unit as decimal(28, 0)
            ) as order_discount
        from rounded

    ),

    allocated as (

        select
            *,
            coalesce(
                {{
                    integer_divide(
                        "least(order_discount, greatest(discountable_total, 0)) * discountable_until",
                        "nullif(discountable_total, 0)",
                    )
                }}
                -
                {{
                    integer_divide(
                        "least(order_discount, greatest(discountable_total, 0)) * (discountable_until - discountable)",
                        "nullif(discountable_total, 0)",
                    )
                }},
                0
            )
            * minor_unit_value as allocated_discount
        from running

    )

select
    order_id,
    line_number,
    product_id,
    product_name,
    category,
    line_type,
    currency,
    cast(quantity as decimal(18, 3)) as quantity,
    unit_price,
    line_amount,
    gross_sales as gross_sales_order_currency,
    {{ money("line_discount + allocated_discount") }} as discount_order_currency,
    exchange_rate,
    {{
        money(
            "round(gross_sales * exchange_rate * reporting_units_per_unit, 0) * reporting_unit_value"
        )
    }}
    as gross_sales,
    {{
        money(
            "round((line_discount + allocated_discount) * exchange_rate * reporting_units_per_unit, 0) * reporting_unit_value"
        )
    }}
    as discount_amount,
    coalesce(
        {{
            money(
                "round(line_cost * exchange_rate * reporting_units_per_unit, 0) * reporting_unit_value"
            )
        }},
        product_cost
    ) as cost,
    order_date
from allocated
