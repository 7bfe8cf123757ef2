"""Lifecycle, repeat and value marts against plain loops, on four shops.

The synthetic shop's history is read from its landing files; that of the others from
fct_orders and fct_refunds, which tests/reference compares with published figures.
"""

from pathlib import Path

import pytest

from tests.definitions import history as brute
from tests.definitions.demo_files import DemoFiles
from tests.definitions.history import History, differences, history_of, mart

SHOPS = ("demo", "olist", "cdnow", "online_retail")


@pytest.fixture(scope="module", params=SHOPS)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, History]:
    warehouse: Path = request.getfixturevalue(request.param)
    if request.param != "demo":
        return warehouse, history_of(warehouse)
    return warehouse, request.getfixturevalue("demo_files").history()


def test_growth_accounting_counts_sets_of_customers(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    got = mart(
        warehouse,
        "fct_growth_accounting",
        "period_type, period_start",
        "new_customers, returning_customers, resurrected_customers, dormant_customers, is_complete",
    )

    assert differences(got, brute.growth_accounting(history)) == {}


def test_repurchase_rates_count_mature_customers(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    got = mart(
        warehouse,
        "fct_repurchase_rates",
        "cohort_month, window_days",
        "customers, mature_customers, repurchased, repurchase_rate",
    )

    assert differences(got, brute.repurchase_rates(history)) == {}


def test_next_purchase_rates_count_who_went_on(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    got = mart(
        warehouse,
        "fct_next_purchase_rates",
        "purchase_number",
        "reached, continued, naive_rate, median_days",
    )

    assert differences(got, brute.next_purchase_rates(history)) == {}


def test_purchase_gaps_have_numpys_percentiles(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    got = mart(
        warehouse,
        "fct_purchase_gaps",
        "purchase_number",
        "gaps, mean_days, p50_days, p80_days, p90_days, p95_days",
    )

    assert differences(got, brute.purchase_gaps(history)) == {}


def test_retention_cohorts_count_every_month(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    got = mart(
        warehouse,
        "fct_retention_cohorts",
        "cohort_month, month_since",
        "customers, active_in_month, retention_in_month, active_from_month, retention_from_month,"
        " orders, net_sales, is_complete",
    )

    assert differences(got, brute.retention_cohorts(history)) == {}


def test_repeat_revenue_is_that_of_later_occasions(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    got = mart(
        warehouse,
        "fct_repeat_revenue_monthly",
        "month",
        "net_sales, repeat_net_sales, unattributed_net_sales, repeat_revenue_share, customers,"
        " returning_customers, returning_customer_rate, is_complete",
    )

    assert differences(got, brute.repeat_revenue_monthly(history)) == {}


def test_ltv_windows_sum_what_mature_customers_bought(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    got = mart(
        warehouse,
        "fct_ltv_windows",
        "cohort_month, acquisition_channel, window_days",
        "customers, mature_customers, net_sales, contribution_margin, ltv, margin_ltv",
    )

    assert differences(got, brute.ltv_windows(history)) == {}


def test_ltv_cohorts_sum_month_by_month(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    got = mart(
        warehouse,
        "fct_ltv_cohorts",
        "cohort_month, acquisition_channel, month_since",
        "customers, net_sales, margin, cumulative_net_sales_per_customer,"
        " cumulative_margin_per_customer, is_complete",
    )

    assert differences(got, brute.ltv_cohorts(history)) == {}


def test_the_demo_shop_has_every_kind_of_case(demo_files: DemoFiles) -> None:
    """Else the comparison above would say little."""
    history = demo_files.history()

    assert any(sale.customer is None for sale in history.sales)
    assert history.credits
    assert any(max(customer.orders.values()) > 1 for customer in history.customers.values())
    assert any(len(customer.days) > 6 for customer in history.customers.values())
