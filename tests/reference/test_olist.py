"""The Olist marketplace: the published marts give the figures that were counted independently."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.reference.figures import as_printed, printed, repeat_figures
from tests.shops import rows

PAID = "coalesce(payment_amount, 0)"
# name: rule on fct_orders, revenue, the published row (see figures.NAMES)
PUBLISHED = {
    "every status, payments": (
        "true",
        PAID,
        "96,096 99,441 16,008,872.12 3.1188 2,997 8.4084 252 3.364 3.112 80.350 27.924",
    ),
    "delivered, payments": (
        "order_status = 'delivered'",
        PAID,
        "93,358 96,478 15,422,461.77 3.0003 2,801 8.140 228 3.234 2.953 81.207 28.980",
    ),
    "not canceled or unavailable, item prices": (
        "order_status not in ('cancelled', 'unavailable')",
        "net_sales",
        "94,990 98,207 13,494,400.74 3.0403 2,888 8.172 236 3.276 2.925 80.848 28.118",
    ),
}
OWN_RULE = "94,983 97,269 13,494,400.74 2.173 2,064 7.558 156 2.350 2.162 114.84 74"


@pytest.mark.parametrize("name", PUBLISHED)
def test_fct_orders_gives_the_repeat_figures_of_every_published_rule(
    name: str, olist: Path
) -> None:
    rule, revenue, published = PUBLISHED[name]

    figures = repeat_figures(olist, rule=rule, revenue=revenue)

    assert as_printed(figures, published) == printed(published)


def test_occasions_of_valid_orders_give_the_figures_of_the_own_rule(olist: Path) -> None:
    figures = repeat_figures(olist, rule="is_valid", moment="order_date", order="purchase_number")

    assert as_printed(figures, OWN_RULE) == printed(OWN_RULE)


def test_the_other_marts_say_the_same_of_the_own_rule(olist: Path) -> None:
    published = printed(OWN_RULE)
    ((customers, occasions, revenue, repeat, third),) = rows(
        olist,
        """
        select
            count(*) filter (where purchase_count > 0),
            sum(purchase_count),
            sum(net_sales),
            count(*) filter (where purchase_count >= 2),
            count(*) filter (where purchase_count >= 3)
        from dim_customers
        """,
    )
    ((later_revenue,),) = rows(
        olist, "select sum(repeat_net_sales) / sum(net_sales) from fct_repeat_revenue_monthly"
    )
    ((mean_days, median_days),) = rows(
        olist,
        """
        select avg(days), median(days)
        from (
            select any_value(days_since_previous_purchase) as days
            from fct_orders
            where purchase_number = 2
            group by customer_id
        )
        """,
    )
    figures = {
        "customers": customers,
        "orders": occasions,
        "revenue": revenue,
        "repeat_percent": 100 * repeat / customers,
        "repeat_customers": repeat,
        "third_percent": 100 * third / repeat,
        "third_customers": third,
        "later_orders_percent": 100 * (occasions - customers) / occasions,
        "later_revenue_percent": 100 * later_revenue,
        "mean_days": mean_days,
        "median_days": median_days,
    }

    assert as_printed(figures, OWN_RULE) == published
    assert rows(
        olist,
        """
        select reached, continued, median_days
        from fct_next_purchase_rates
        where dimension_name = 'all' and purchase_number <= 2 order by purchase_number
        """,
    )[0] == (94_983, 2_064, 74)
    assert rows(
        olist,
        """
        select reached, continued from fct_next_purchase_rates
        where dimension_name = 'all' and purchase_number = 2
        """,
    ) == [(2_064, 156)]
    assert rows(
        olist, "select sum(new_customers) from fct_growth_accounting where period_type = 'month'"
    ) == [(94_983,)]
    assert rows(
        olist, "select sum(customers) from fct_retention_cohorts where month_since = 0"
    ) == [(94_983,)]


def test_897_of_the_2997_second_orders_fall_on_the_first_orders_day(olist: Path) -> None:
    assert rows(
        olist,
        """
        with orders as (
            select
                customer_id,
                order_date,
                row_number() over (
                    partition by customer_id order by ordered_at, order_id
                ) as position
            from fct_orders
        )
        select count(*), count(*) filter (where second.order_date = first.order_date)
        from orders as second
        join orders as first on second.customer_id = first.customer_id and first.position = 1
        where second.position = 2
        """,
    ) == [(2_997, 897)]


def test_totals_are_those_of_the_files(olist: Path) -> None:
    assert rows(
        olist, "select sum(payment_amount), sum(gross_sales), sum(shipping_amount) from fct_orders"
    ) == [(Decimal("16008872.12"), Decimal("13591643.70"), Decimal("2251909.54"))]
    assert rows(olist, "select sum(gross_sales) from fct_order_lines") == [
        (Decimal("13591643.70"),)
    ]


def test_nothing_is_lost_or_counted_twice(olist: Path) -> None:
    counts = {
        "select count(*) from fct_orders": 99_441,
        "select count(*) from fct_orders where customer_id is null": 0,
        "select count(*) from fct_orders where payment_amount is null": 1,
        "select count(*) from fct_order_lines": 112_650,
        "select count(*) from dim_customers": 96_096,
        "select count(*) from dim_products": 32_951,
        "select count(*) from fct_rejected_rows": 0,
        "select count(*) from fct_reconciliation where not is_balanced": 0,
        "select loaded from fct_intake_files where entity = 'order_payments'": 103_886,
        "select loaded from fct_intake_files where entity = 'order_reviews'": 8_225,
        """
        select count(*) from fct_orders
        where order_id not in (select order_id from fct_order_lines)
        """: 775,
        # no orphans
        """
        select count(*) from fct_order_lines
        where order_id not in (select order_id from fct_orders)
            or product_id not in (select product_id from dim_products)
        """: 0,
    }

    assert {sql: rows(olist, sql)[0][0] for sql in counts} == counts
