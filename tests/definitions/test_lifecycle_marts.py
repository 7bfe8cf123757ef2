"""Lifecycle, repeat and value marts against plain loops, on four shops.

The synthetic shop's history is read from its landing files; that of the others from
fct_orders and fct_refunds, which tests/reference compares with published figures.
"""

from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.definitions import history as brute
from tests.definitions.demo_files import DemoFiles
from tests.definitions.history import History, differences, history_of, mart
from tests.shops import rows

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


def test_the_stock_of_every_day_and_state_is_that_of_its_customers(
    shop: tuple[Path, History],
) -> None:
    """Customers are led from state to state by their transitions, and counted each day."""
    warehouse, history = shop
    moves: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    for day, *move in rows(
        warehouse,
        "select transition_date, customer_id, from_stage, from_segment, to_stage, to_segment"
        " from fct_lifecycle_transitions",
    ):
        moves[day].append(tuple(move))
    got = mart(
        warehouse,
        "fct_lifecycle_daily",
        "lifecycle_date, lifecycle_stage, segment",
        "customers, entered, exited",
    )

    states: dict[str, tuple[str, str]] = {}
    stock: Counter[tuple[str, str]] = Counter()
    expected: brute.Figures = {}
    every_state = {key[1:] for key in got}
    day = min(moves)
    while day <= history.as_of:
        entered: Counter[tuple[str, str]] = Counter()
        exited: Counter[tuple[str, str]] = Counter()
        for customer, from_stage, from_segment, to_stage, to_segment in moves[day]:
            before = states.get(customer)
            assert (from_stage, from_segment) == (before or (None, None)), customer
            if before:
                exited[before] += 1
            states[customer] = to_stage, to_segment
            entered[states[customer]] += 1
        stock += entered
        stock.subtract(exited)
        for state in every_state:
            expected[day, *state] = stock[state], entered[state], exited[state]
        day += timedelta(days=1)

    assert differences(got, expected) == {}
    assert rows(warehouse, "select count(*) from dim_customers") == [(len(states),)]


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
        " orders, net_sales, order_retention, net_sales_retention, is_complete",
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
    got = {key: figures for key, figures in got.items() if figures[0] and figures[1] is not None}

    assert differences(got, brute.ltv_cohorts(history)) == {}


@pytest.mark.parametrize("name", ["olist", "cdnow", "online_retail"])
def test_marts_that_live_on_events_are_empty_where_a_shop_has_none(
    name: str, request: pytest.FixtureRequest
) -> None:
    warehouse: Path = request.getfixturevalue(name)
    for table in (
        *("fct_sessions", "fct_carts", "fct_funnel_daily", "fct_search_terms"),
        *("fct_campaigns", "fct_campaign_variants", "fct_discarded_events"),
    ):
        assert rows(warehouse, f"from {table}") == [], table


def test_the_demo_shop_has_every_kind_of_case(demo_files: DemoFiles) -> None:
    """Else the comparison above would say little."""
    history = demo_files.history()

    assert any(sale.customer is None for sale in history.sales)
    assert history.credits
    assert any(max(customer.orders.values()) > 1 for customer in history.customers.values())
    assert any(len(customer.days) > 6 for customer in history.customers.values())
