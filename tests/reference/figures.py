"""Repeat figures by plain SQL over `fct_orders`, under any rule of what an order is."""

from pathlib import Path
from typing import Any

from dagster_project.lib.settings import Settings
from tests.shops import rows


def repeat_figures(
    warehouse: Settings | Path,
    *,
    rule: str,
    revenue: str = "net_sales",
    moment: str = "ordered_at",
    order: str = "order_id",
    orders: str = "fct_orders",
) -> dict[str, Any]:
    """The figures of one row of the published tables; shares in percent.

    rule: which rows of fct_orders count. revenue: what an order is worth. moment: what the days
    from the first order to the second are counted between. order: what makes rows one order.
    orders: a table or query with the columns that the others name.
    """
    (answer,) = rows(
        warehouse,
        f"""
        with
            orders as (
                select
                    customer_id,
                    {order} as order_key,
                    sum({revenue}) as revenue,
                    epoch(cast(min({moment}) as timestamp)) / 86400 as moment,
                    row_number() over (
                        partition by customer_id order by min(ordered_at), min(order_id)
                    ) as position
                from {orders}
                where customer_id is not null and {rule}
                group by customer_id, order_key
            ),
            customers as (
                select
                    max(position) as orders,
                    max(moment) filter (where position = 2)
                    - max(moment) filter (where position = 1) as days
                from orders
                group by customer_id
            )
        select
            (select count(*) from customers),
            (select count(*) from orders),
            (select sum(revenue) from orders),
            (select count(*) from customers where orders >= 2),
            (select count(*) from customers where orders >= 3),
            (select count(*) from orders where position >= 2),
            (select sum(revenue) from orders where position >= 2),
            (select avg(days) from customers),
            (select median(days) from customers)
        """,
    )
    customers, orders, revenue_sum, two, three, later, later_revenue, mean_days, median_days = (
        answer
    )
    return {
        "customers": customers,
        "orders": orders,
        "revenue": revenue_sum,
        "repeat_percent": 100 * two / customers,
        "repeat_customers": two,
        "third_percent": 100 * three / two,
        "third_customers": three,
        "later_orders_percent": 100 * later / orders,
        "later_revenue_percent": 100 * float(later_revenue) / float(revenue_sum),
        "mean_days": mean_days,
        "median_days": median_days,
    }


NAMES = (
    *("customers", "orders", "revenue", "repeat_percent", "repeat_customers"),
    *("third_percent", "third_customers", "later_orders_percent", "later_revenue_percent"),
    *("mean_days", "median_days"),
)


def as_printed(figures: dict[str, Any], published: str) -> dict[str, str]:
    """The figures with as many digits as the published row prints."""
    return {
        name: f"{figures[name]:.{len(text.partition('.')[2])}f}"
        for name, text in printed(published).items()
    }


def printed(published: str) -> dict[str, str]:
    """A row as published: its figures, in the order of NAMES."""
    return dict(zip(NAMES, published.replace(",", "").split(), strict=True))
