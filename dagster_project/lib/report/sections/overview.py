"""What the shop is as a whole, and what this version says otherwise than the one before it."""

from collections.abc import Callable
from typing import Any

from dagster_project.lib.report import charts
from dagster_project.lib.report.charts import Series
from dagster_project.lib.report.markup import element
from dagster_project.lib.report.parts import Chart, Column, Data, Section, not_available, tiles
from dagster_project.lib.report.snapshot import OtherTables, Row, Snapshot
from dagster_project.lib.report.wording import (
    change,
    compact,
    count,
    day,
    listed,
    many,
    month,
    percent,
    words,
)

FIGURES = """
select
    (select count(*) from dim_customers where purchase_count > 0) as customers,
    (select count(*) from fct_orders where is_valid) as orders,
    (select coalesce(sum(net_sales_by_order_date), 0) from fct_sales_daily) as net_sales,
    (select count(*) from dim_customers where purchase_count > 1) as repeat_customers,
    repurchased.km_repurchase_rate as repurchase_rate,
    repurchased.km_repurchase_rate_lower as repurchase_rate_lower,
    repurchased.km_repurchase_rate_upper as repurchase_rate_upper,
    value.ltv_90_days,
    (select net_sales from fct_ltv_forecasts where horizon_days = 365) as expected
from
    (
        select sum(net_sales) / nullif(sum(mature_customers), 0) as ltv_90_days
        from fct_ltv_windows
        where window_days = 90
    ) as value
left join
    fct_repurchase_rates as repurchased
    on repurchased.dimension_name = 'all'
    and repurchased.cohort_month is null
    and repurchased.window_days = 90
"""

SALES = """
select
    month,
    net_sales,
    repeat_net_sales,
    net_sales - repeat_net_sales - unattributed_net_sales as first_net_sales,
    unattributed_net_sales,
    customers,
    repeat_revenue_share,
    benchmark_repeat_revenue_share_lower as benchmark_lower,
    benchmark_repeat_revenue_share_upper as benchmark_upper,
    is_complete
from fct_repeat_revenue_monthly
order by month desc
limit 24
"""

RESTATED = """
select metric, cause, count(*)::bigint as rows
from fct_restatements
where run_id = ?
group by metric, cause
order by metric, cause
"""


def overview(snapshot: Snapshot, before: Snapshot | None) -> Section:
    return Section(
        "overview",
        "How is the shop doing?",
        [_changes(snapshot, before), _sales(snapshot)],
    )


def _changes(snapshot: Snapshot, before: Snapshot | None) -> Chart:
    now = snapshot.row(FIGURES)
    then = _figures_of(before) if before else None
    restated = snapshot.rows(RESTATED, snapshot.run_id)
    share = now.repeat_customers / now.customers if now.customers else None
    figures = [
        _tile("Customers who bought", now, then, "customers", count),
        _tile("Valid orders", now, then, "orders", count),
        _tile("Net sales", now, then, "net_sales", snapshot.money),
        _tile(
            "Buy again within 90 days",
            now,
            then,
            "repurchase_rate",
            percent,
            f"95% interval {percent(now.repurchase_rate_lower)} to"
            f" {percent(now.repurchase_rate_upper)}"
            if now.repurchase_rate_upper is not None
            else "",
        ),
        _tile(
            "What a customer brings in 90 days",
            now,
            then,
            "ltv_90_days",
            lambda amount: snapshot.money(amount, 2),
        ),
        _tile("Expected of today's customers in a year", now, then, "expected", snapshot.money),
    ]
    sentence = (
        f"{many(now.customers, 'customer')} have bought, "
        f"{percent(share)} of them on two or more days. "
        if now.customers
        else "Nobody has bought yet. "
    )
    return Chart(
        "changes",
        "What changed since the last version",
        sentence + _since(now, then, before, restated),
        tiles(*figures),
        Data(
            [
                Column("figure", "Figure"),
                Column("now", "This version"),
                Column("before", "Version before"),
            ],
            [
                (words(name), value, getattr(then, name) if then else None)
                for name, value in now._asdict().items()
            ],
        ),
        columns=[
            "dim_customers.purchase_count",
            "fct_repurchase_rates.km_repurchase_rate",
            "fct_ltv_windows",
            "fct_ltv_forecasts",
            "fct_restatements",
        ],
        is_wide=True,
    )


def _figures_of(before: Snapshot) -> Row | None:
    try:
        return before.row(FIGURES)
    except OtherTables:
        return None


def _since(now: Row, then: Row, before: Snapshot | None, restated: list[Row]) -> str:
    if before is None or then is None:
        return "There is no earlier version to compare with."
    customers, orders = now.customers - then.customers, now.orders - then.orders
    opening = (
        f"Since the version of {day(before.as_of)}:"
        f" {change(customers, many(abs(customers), 'customer'))},"
        f" {change(orders, many(abs(orders), 'order'))}."
    )
    if not customers and not orders:
        opening = f"No customer and no order has come since the version of {day(before.as_of)}."
    if not restated:
        return f"{opening} Nothing that was published of earlier days has changed."
    causes = listed(sorted({row.cause for row in restated}))
    rows = sum(row.rows for row in restated)
    return f"{opening} {many(rows, 'figure')} of earlier days changed through {causes}."


def _tile(
    label: str,
    now: Row,
    then: Row,
    name: str,
    written: Callable[[Any], str],
    note: str = "",
) -> tuple[str, str, list[str]]:
    value = getattr(now, name)
    lines = []
    if value is not None and then is not None and (old := getattr(then, name)) is not None:
        if written(value) == written(old):
            difference = "unchanged"
        elif name.endswith("rate"):
            points = f"{abs(100 * (value - old)):.1f} points"
            difference = change(value - old, points)
        else:
            difference = change(value - old, written(abs(value - old)))
        lines.append(difference)
    if note:
        lines.append(note)
    return label, "not available" if value is None else written(value), lines


def _sales(snapshot: Snapshot) -> Chart:
    heading = "What is sold, and how much of it to those who come back"
    shown = [
        "fct_repeat_revenue_monthly",
        "fct_repeat_revenue_monthly.repeat_revenue_share",
        "fct_repeat_revenue_monthly.benchmark_repeat_revenue_share_lower",
    ]
    rows = snapshot.rows(SALES)[::-1]
    if not rows:
        return not_available("sales", heading, "there is no valid order", shown)
    complete = [row for row in rows if row.is_complete]
    sentence = "No month has ended yet."
    if complete:
        last = complete[-1]
        sentence = (
            f"In {month(last.month)}"
            f" {many(last.customers, 'customer') if last.customers else 'nobody'} bought"
        )
        if last.net_sales:
            sentence += f" for {snapshot.money(last.net_sales)} net"
        if last.repeat_revenue_share is not None:
            sentence += (
                f"; {percent(last.repeat_revenue_share)} of that came from second and later"
                f" purchases, shops commonly see {percent(last.benchmark_lower, 0)} to"
                f" {percent(last.benchmark_upper, 0)} (SumAll)"
            )
        sentence += "."
    series = [
        Series("second and later purchases", [_float(row.repeat_net_sales) for row in rows], "r7"),
        Series("first purchases", [_float(row.first_net_sales) for row in rows], "r2"),
    ]
    if any(row.unattributed_net_sales for row in rows):
        series.append(
            Series("without a customer", [_float(row.unattributed_net_sales) for row in rows], "s4")
        )
    drawing = element(
        "div",
        charts.legend([(each.name, f"bar {each.style}") for each in series]),
        charts.columns(
            heading,
            "Net sales by month, of first and of later purchases.",
            [month(row.month) for row in rows],
            series,
            snapshot.money,
            compact,
        ),
    )
    return Chart(
        "sales",
        heading,
        sentence,
        drawing,
        Data(
            [
                Column("month", "Month", month),
                Column("net_sales", "Net sales", snapshot.money),
                Column("first_net_sales", "First purchases", snapshot.money),
                Column("repeat_net_sales", "Later purchases", snapshot.money),
                Column("unattributed_net_sales", "Without a customer", snapshot.money),
                Column("repeat_revenue_share", "Share of later purchases", percent),
                Column("is_complete", "Month has ended", lambda ended: "yes" if ended else "no"),
            ],
            [
                (
                    row.month,
                    row.net_sales,
                    row.first_net_sales,
                    row.repeat_net_sales,
                    row.unattributed_net_sales,
                    row.repeat_revenue_share,
                    row.is_complete,
                )
                for row in rows
            ],
        ),
        note="" if rows[-1].is_complete else f"{month(rows[-1].month)} has not ended yet.",
        columns=shown,
        is_wide=True,
    )


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
