"""Metrics of MetricFlow say what the marts say that they are made of."""

from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.settings import PROJECT_ROOT
from tests.metrics import ask, metrics
from tests.shops import rows

WINDOWS = (30, 90, 180, 365)
LATEST = "month = (select max(month) from fct_advocacy_monthly)"
OF_ALL = {
    "orders": "select count(*) from fct_orders where is_valid",
    "net_sales": "select sum(net_sales_by_order_date) from fct_sales_daily",
    "net_sales_by_refund_date": "select sum(net_sales_by_refund_date) from fct_sales_daily",
    "customers": "select count(*) from fct_customer_ltv",
    "customers_with_prediction": "select count(predicted_ltv_365_days) from fct_customer_ltv",
    "predicted_net_sales_365_days": "select sum(predicted_ltv_365_days) from fct_customer_ltv",
    "predicted_ltv_365_days": "select avg(predicted_ltv_365_days) from fct_customer_ltv",
    "known_customers": "select count(*) from dim_customers",
    "repeat_net_sales": "select sum(repeat_net_sales) from fct_repeat_revenue_monthly",
    "first_and_repeat_net_sales": "select sum(net_sales) from fct_repeat_revenue_monthly",
    "repeat_revenue_share": """
        select sum(repeat_net_sales) / sum(net_sales) from fct_repeat_revenue_monthly
    """,
    "acquisition_spend": "select sum(spend) from fct_campaigns",
    "customers_of_spend": """
        select sum(customers) from fct_ltv_cohorts where month_since = 0 and spend is not null
    """,
    "cac": """
        select sum(spend) / sum(customers) from fct_ltv_cohorts
        where month_since = 0 and spend is not null
    """,
    "customers_of_advocacy": "select count(*) from fct_customer_advocacy join dim_customers"
    " using (customer_id) where purchase_count > 0",
    **{
        f"{tier}s": f"select {tier}s from fct_advocacy_monthly where {LATEST}"
        for tier in ("lurker", "liker", "lover")
    },
    **{
        f"{tier}_share": f"select {tier}_share from fct_advocacy_monthly where {LATEST}"
        for tier in ("lurker", "liker", "lover")
    },
    **{
        figure: f"select {figure} from fct_advocacy_monthly where {LATEST}"
        for figure in ("responses", "promoters", "detractors", "nps")
    },
    **{
        f"{figure}_{days}_days": f"""
            select {column} from fct_repurchase_rates
            where dimension_name = 'all' and cohort_month is null and window_days = {days}
        """
        for days in WINDOWS
        for figure, column in (
            ("repurchase_rate", "repurchase_rate"),
            ("km_repurchase_rate", "km_repurchase_rate"),
            ("repurchased_customers", "repurchased"),
            ("mature_customers", "mature_customers"),
        )
    },
    **{
        f"{figure}_{days}_days": f"""
            select {column} from fct_ltv_windows where window_days = {days}
        """
        for days in WINDOWS
        for figure, column in (
            ("ltv", "sum(net_sales) / sum(mature_customers)"),
            ("net_sales_within", "sum(net_sales)"),
            ("customers_of_ltv", "sum(mature_customers)"),
        )
    },
}


def same(found: Any, expected: Any) -> bool:
    if found is None or expected is None:
        return found is expected
    return abs(float(found) - float(expected)) <= 1e-9 * max(1, abs(float(expected)))


def test_every_metric_is_the_figure_of_its_mart(demo: Path) -> None:
    assert metrics() == OF_ALL.keys()
    names = sorted(OF_ALL)
    (found,) = ask(demo, names)
    for name, figure in zip(names, found, strict=True):
        ((expected,),) = rows(demo, OF_ALL[name])
        assert expected is not None, name
        assert same(figure, expected), (name, figure, expected)


@pytest.mark.parametrize(
    ("metric", "by", "sql"),
    [
        (
            "customers",
            "customer__acquisition_channel",
            "select acquisition_channel, count(first_purchase_date) from dim_customers group by 1",
        ),
        (
            "known_customers",
            "standing__lifecycle_stage",
            "select lifecycle_stage, count(*) from dim_customers group by 1",
        ),
        (
            "known_customers",
            "standing__segment",
            "select segment, count(*) from dim_customers group by 1",
        ),
        (
            "predicted_net_sales_365_days",
            "customer__segment",
            """
            select segment, sum(ltv.predicted_ltv_365_days)
            from dim_customers left join fct_customer_ltv as ltv using (customer_id) group by 1
            """,
        ),
        (
            "ltv_365_days",
            "ltv_cell__acquisition_channel",
            """
            select acquisition_channel, sum(net_sales) / nullif(sum(mature_customers), 0)
            from fct_ltv_windows where window_days = 365 group by 1
            """,
        ),
        (
            "cac",
            "acquisition_cell__acquisition_channel",
            """
            select acquisition_channel, sum(spend) / sum(customers) filter (where spend >= 0)
            from fct_ltv_cohorts where month_since = 0 group by 1
            """,
        ),
        (
            "net_sales",
            "metric_time__month",
            "select month, net_sales from fct_repeat_revenue_monthly",
        ),
        (
            "repurchase_rate_90_days",
            "metric_time__month",
            """
            select cohort_month, repurchase_rate from fct_repurchase_rates
            where dimension_name = 'all' and cohort_month is not null and window_days = 90
            """,
        ),
        (
            "repeat_revenue_share",
            "metric_time__month",
            "select month, repeat_revenue_share from fct_repeat_revenue_monthly",
        ),
        ("nps", "metric_time__month", "select month, nps from fct_advocacy_monthly"),
        (
            "lover_share",
            "metric_time__year",  # the last month of each
            """
            select date_trunc('year', month), max_by(lover_share, month)
            from fct_advocacy_monthly group by 1
            """,
        ),
        (
            "known_customers",
            "metric_time__month",  # the last day of each
            """
            select date_trunc('month', lifecycle_date), sum(customers)
            from fct_lifecycle_daily
            where lifecycle_date in (
                select max(lifecycle_date) from fct_lifecycle_daily
                group by date_trunc('month', lifecycle_date)
            )
            group by 1
            """,
        ),
    ],
    ids=lambda value: value if "select" not in value else "",
)
def test_metrics_are_cut_as_the_marts_cut_them(demo: Path, metric: str, by: str, sql: str) -> None:
    expected = {
        of if isinstance(of, str) else str(of)[:10]: figure for of, figure in rows(demo, sql)
    }
    found = {
        of if isinstance(of, str) else str(of)[:10]: figure
        for of, figure in ask(demo, [metric], [by])
    }
    for of in expected.keys() | found.keys():  # where nothing is, MetricFlow may have no row
        figures = found.get(of), expected.get(of)
        assert same(*(None if figure == 0 else figure for figure in figures)), (of, figures)
    assert len(found) > 2


def test_a_metric_can_be_narrowed(demo: Path) -> None:
    ((found,),) = ask(
        demo,
        ["predicted_net_sales_365_days"],
        where="{{ Dimension('customer__segment') }} = 'at_risk'",
    )
    ((expected,),) = rows(
        demo, "select sum(predicted_ltv_365_days) from dim_customers where segment = 'at_risk'"
    )
    assert found == expected


def test_the_page_lists_every_metric() -> None:
    page = (PROJECT_ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name in metrics():
        of_windows = name
        for days in WINDOWS:
            of_windows = of_windows.replace(f"_{days}_days", "_N_days")
        assert f"`{name}`" in page or f"`{of_windows}`" in page, name
