"""Marts of lifetime value against plain loops over days and customers, and against another library
at the parameters that the warehouse publishes."""

import json
from bisect import bisect_right
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter

from dagster_project.lib.publish.query import connect_published
from dagster_project.lib.settings import load_settings
from tests.definitions.history import History, history_of
from tests.shops import rows

SHOPS = ("demo", "olist", "cdnow", "online_retail")
HORIZONS = (30, 90, 180, 365)
FITTERS = {"mbg_nbd": ModifiedBetaGeoFitter, "bg_nbd": BetaGeoFitter}
PRINTED_BY_FREQUENCY = """
    0.225/0.237 0.523/0.697 1.044/1.393 1.520/1.560 2.164/2.532 2.654/2.947 3.504/3.862 6.157/6.359
"""
HALF_YEAR = timedelta(days=180)  # of history before a cut-off, and of the horizon after it


@pytest.fixture(scope="module", params=SHOPS)
def shop(
    request: pytest.FixtureRequest,
) -> tuple[Path, History]:
    warehouse: Path = request.getfixturevalue(request.param)
    if request.param != "demo":
        return warehouse, history_of(warehouse)
    return warehouse, request.getfixturevalue("demo_files").history()


def frame(warehouse: Path, query: str) -> pd.DataFrame:
    """An answer as a table."""
    with connect_published(load_settings(warehouse=warehouse)) as connection:
        return connection.execute(query).df()


def parameters(warehouse: Path) -> dict[str, dict[str, float]]:
    """Of the models that serve."""
    return {
        name: json.loads(text)
        for name, text in rows(
            warehouse,
            "select model_name, parameters from fct_ltv_models"
            " where is_chosen and cut_off_date = as_of_date and cohort = 'all'",
        )
    }


class NoDropOut:
    """The limit that the other library has not: everybody buys at a rate of his own for ever."""

    def __init__(self, r: float, alpha: float) -> None:
        self.r, self.alpha = r, alpha

    def conditional_probability_alive(self, x: Any, t_x: Any, T: Any) -> Any:
        return np.ones(len(x))

    def conditional_expected_number_of_purchases_up_to_time(
        self, weeks: float, x: Any, t_x: Any, T: Any
    ) -> Any:
        return (self.r + x) / (self.alpha + T) * weeks


def another_library(warehouse: Path) -> tuple[str, Any, Any]:
    """The model of purchases by name, it and that of value at the published parameters."""
    served = parameters(warehouse)
    (name,) = served.keys() - {"gamma_gamma"}
    purchases, value = FITTERS[name](), GammaGammaFitter()
    purchases.params_, value.params_ = pd.Series(served[name]), pd.Series(served["gamma_gamma"])
    value.params_ = value.params_.rename({"gamma": "v"})
    if served[name]["a"] == 0:
        purchases = NoDropOut(served[name]["r"], served[name]["alpha"])
    return name, purchases, value


def orders(warehouse: Path) -> list[tuple[Any, ...]]:
    """Valid ones of customers: whose, when, value before refunds and after them."""
    return rows(
        warehouse,
        "select customer_id, order_date, net_sales + refund_amount, net_sales from fct_orders"
        " where is_valid and customer_id is not null",
    )


def kept_share(warehouse: Path, history: History) -> float:
    """What orders of at least 90 days have left after refunds, also those without an order."""
    last_day = history.as_of - timedelta(days=90)
    old = [order for order in orders(warehouse) if order[1] <= last_day]
    kept = sum(order[3] for order in old)
    for credit in history.credits:
        if credit.customer in history.customers and credit.day <= last_day:
            kept -= credit.amount
    return float(kept / sum(order[2] for order in old))


def test_history_of_each_customer(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    credits: dict[str, Decimal] = defaultdict(Decimal)
    for credit in history.credits:
        credits[str(credit.customer)] += credit.amount
    expected = [
        (
            len(customer.days) - 1,
            (customer.days[-1] - customer.days[0]).days,
            (history.as_of - customer.days[0]).days,
            sum(customer.sold.values()) - credits[name],
        )
        for name, customer in history.customers.items()
    ]
    got = rows(
        warehouse, "select frequency, recency_days, age_days, historic_ltv from fct_customer_ltv"
    )
    assert sorted(got) == sorted(expected)


def test_predictions_are_those_of_another_library(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    name_of_model, purchases, value = another_library(warehouse)
    paid: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for name, day, before, _ in orders(warehouse):
        paid[name][day] += before

    got = frame(warehouse, "from fct_customer_ltv order by customer_id").set_index("customer_id")
    repeats = {
        name: [value for day, value in days.items() if day > min(days) and value > 0]
        for name, days in paid.items()
    }
    number = np.array([len(repeats[name]) for name in got.index])
    mean = np.array([float(sum(repeats[name])) / max(len(repeats[name]), 1) for name in got.index])
    x, t_x, T = (got[c].to_numpy(float) for c in ("frequency", "recency_days", "age_days"))
    history_in_weeks = x, t_x / 7, T / 7
    each = value.conditional_expected_average_profit(pd.Series(number), pd.Series(mean)).to_numpy()
    is_valued = got["refusal_reason"].isna().to_numpy()
    assert (~is_valued).sum() <= 1  # one in Online Retail

    alive = purchases.conditional_probability_alive(*history_in_weeks)
    if name_of_model == "bg_nbd":
        alive = np.where(x > 0, alive, np.nan)
    assert got["p_alive"].to_numpy(float) == pytest.approx(alive, rel=1e-9, nan_ok=True)
    assert got["expected_value_per_purchase"].to_numpy(float)[is_valued] == pytest.approx(
        each[is_valued], abs=0.0006
    )
    kept = kept_share(warehouse, history)
    for days in HORIZONS:
        expected = purchases.conditional_expected_number_of_purchases_up_to_time(
            days / 7, *history_in_weeks
        )
        assert got[f"expected_purchases_{days}_days"].to_numpy(float) == pytest.approx(
            expected, rel=1e-6
        )
        predicted = (expected * each * kept)[is_valued]
        assert got[f"predicted_ltv_{days}_days"].to_numpy(float)[is_valued] == pytest.approx(
            predicted, rel=1e-6, abs=0.0006
        )
    total = got["historic_ltv"] + got["predicted_ltv_365_days"]
    assert got["total_ltv_365_days"].to_numpy(float) == pytest.approx(
        total.to_numpy(float), abs=1e-6, nan_ok=True
    )


def test_the_shops_forecast_is_the_sum_over_its_customers(shop: tuple[Path, History]) -> None:
    warehouse, _ = shop
    for days in HORIZONS:
        ((purchases, net_sales, margin, customers),) = rows(
            warehouse,
            f"select sum(expected_purchases_{days}_days), sum(predicted_ltv_{days}_days),"
            f" sum(predicted_margin_{days}_days), count(*) from fct_customer_ltv",
        )
        ((total, total_sales, total_margin),) = rows(
            warehouse,
            "select purchases, net_sales, margin from fct_ltv_forecasts"
            f" where horizon_days = {days}",
        )
        assert total == pytest.approx(purchases, rel=1e-9)
        assert abs(total_sales - net_sales) <= Decimal("0.0005") * (customers + 1)
        assert abs(total_margin - margin) <= Decimal("0.0005") * (customers + 1)


@pytest.mark.parametrize("name", ["demo", "cdnow"])
def test_curves_go_on_by_what_each_customer_is_expected_to_bring(
    name: str, request: pytest.FixtureRequest
) -> None:
    warehouse: Path = request.getfixturevalue(name)
    _, purchases, _ = another_library(warehouse)
    history = (
        request.getfixturevalue("demo_files").history() if name == "demo" else history_of(warehouse)
    )
    kept = kept_share(warehouse, history)
    got = frame(
        warehouse,
        "select date_trunc('month', first_purchase_date) as cohort, acquisition_channel, ltv.*"
        " from fct_customer_ltv as ltv inner join dim_customers using (customer_id)",
    )
    x, t_x, T = (got[c].to_numpy(float) for c in ("frequency", "recency_days", "age_days"))
    ((as_of,),) = rows(warehouse, "select max(as_of_date) from fct_ltv_models")
    ends = pd.date_range(as_of + timedelta(days=1), periods=12, freq="ME").date
    curves = {
        tuple(key): figure
        for *key, figure in rows(
            warehouse,
            """
            select cohort_month, acquisition_channel, month_since,
                predicted_cumulative_net_sales_per_customer
            from fct_ltv_cohorts where predicted_cumulative_net_sales_per_customer is not null
            """,
        )
    }
    assert len(curves) == 12 * len(got.groupby(["cohort", "acquisition_channel"]))
    for end in ends:
        weeks = (end - as_of).days / 7
        expected = purchases.conditional_expected_number_of_purchases_up_to_time(
            weeks, x, t_x / 7, T / 7
        )
        brought = got.assign(
            total=got["historic_ltv"].astype(float)
            + expected * got["expected_value_per_purchase"].astype(float) * kept
        )
        for (cohort, channel), mean in (
            brought.groupby(["cohort", "acquisition_channel"])["total"].mean().items()
        ):
            since = (end.year - cohort.year) * 12 + end.month - cohort.month
            figure = float(curves[cohort.date(), channel, since])
            assert figure == pytest.approx(mean, rel=1e-4, abs=0.01), (cohort, channel, since)


def test_spend_and_customers_of_cohorts_add_up(demo: Path) -> None:
    """And each cohort has the spend of its channel and month, as fct_campaigns has by campaign."""
    ((cohorts, customers, spend),) = rows(
        demo,
        "select count(*), sum(customers), sum(spend) from fct_ltv_cohorts where month_since = 0",
    )
    ((all_customers,),) = rows(demo, "select count(*) from fct_customer_ltv")
    ((all_spend,),) = rows(demo, "select sum(spend) from fct_campaigns")
    assert (customers, spend) == (all_customers, all_spend)
    assert spend > 0 and cohorts > 0
    nobody = "select count(*), sum(spend) from fct_ltv_cohorts where customers = 0"
    assert all(figure > 0 for figure in rows(demo, nobody)[0])

    query = """
        select customers, spend, cac, cumulative_margin_per_customer, ltv_to_cac, is_paid_back,
            month_since, payback_months, predicted_payback_months
        from fct_ltv_cohorts where spend > 0 and customers > 0 and net_sales is not null
    """
    paid_back = 0
    for size, spent, cac, margin, ratio, is_paid_back, since, payback, later in rows(demo, query):
        assert float(cac) == pytest.approx(float(spent) / size, abs=0.0006)
        assert ratio == pytest.approx(float(margin / cac), rel=1e-3, abs=0.01)
        assert is_paid_back == (ratio >= 1)
        if is_paid_back:
            assert payback <= since and later <= payback
            paid_back += payback == since
    assert paid_back, "no cohort has paid back, and the test has compared nothing"


def cut_offs(history: History) -> list[date]:
    """Month ends with history before them and the whole horizon behind them."""
    first = min(customer.days[0] for customer in history.customers.values())
    ends = [month - timedelta(days=1) for month in history.months]
    return [end for end in ends if first + HALF_YEAR <= end <= history.as_of - HALF_YEAR]


@pytest.mark.parametrize("name", ["demo", "olist", "online_retail"])
def test_backtests_hold_forecasts_against_what_was_bought(
    name: str, request: pytest.FixtureRequest
) -> None:
    warehouse: Path = request.getfixturevalue(name)
    history = (
        request.getfixturevalue("demo_files").history() if name == "demo" else history_of(warehouse)
    )
    expected: dict[Any, list[float]] = defaultdict(lambda: [0, 0, 0.0, 0.0])
    for end in cut_offs(history):
        known = {
            who: bisect_right(customer.days, end)
            for who, customer in history.customers.items()
            if customer.days[0] <= end
        }
        if sum(number > 1 for number in known.values()) < 100:
            continue
        for who, number in known.items():
            days = history.customers[who].days
            later = bisect_right(days, end + HALF_YEAR) - number
            age = (end - days[0]).days
            rate = (number - 1) / age * 180 if age else 0
            for bucket in ("all", f"{number - 1}" if number <= 7 else "7+"):
                cell = expected[end, bucket]
                cell[0] += 1
                cell[1] += later
                cell[2] += rate
                cell[3] += abs(rate - later)
    got = {
        tuple(key): figures
        for *key, figures in (
            (end, bucket, figures)
            for end, bucket, *figures in rows(
                warehouse,
                """
                select cut_off_date, frequency_bucket, customers, actual, predicted,
                    mean_absolute_error * customers
                from fct_ltv_backtests where model_name = 'own_rate'
                """,
            )
        )
    }
    assert got.keys() == expected.keys() and got
    for key, figures in got.items():
        assert figures == pytest.approx(expected[key], rel=1e-9, abs=1e-9), key


def test_the_same_holds_of_the_holdout_of_the_cdnow_sample(cdnow: Path) -> None:
    """Cut-off 1997-09-30, horizon 273 days (39 weeks): the published figures of the literature."""
    got = {
        (model, bucket): figures
        for model, bucket, *figures in rows(
            cdnow,
            """
            select model_name, frequency_bucket, customers, predicted, actual, mean_absolute_error
            from fct_ltv_backtests
            where cut_off_date = date '1997-09-30' and horizon_days = 273
            """,
        )
    }
    customers, predicted, actual, error = got["bg_nbd", "all"]
    assert (customers, f"{predicted:.1f}", actual, f"{error:.4f}") == (
        *(2357, "1653.4", 1882, "0.7855"),
    )
    assert f"{got['mbg_nbd', 'all'][1]:.1f}" == "1576.7"
    assert f"{got['own_rate', 'all'][3]:.4f}" == "1.0237"
    buckets = [got["bg_nbd", bucket] for bucket in ("0", "1", "2", "3", "4", "5", "6", "7+")]
    shares = [f"{said / number:.3f}/{came / number:.3f}" for number, said, came, _ in buckets]
    assert shares == PRINTED_BY_FREQUENCY.split()
    assert buckets[0][0] == 1411
    ((log_likelihood, values),) = rows(
        cdnow,
        """
        select log_likelihood, parameters from fct_ltv_models
        where model_name = 'bg_nbd' and cut_off_date = date '1997-09-30'
        """,
    )
    assert round(log_likelihood, 3) == -9582.429
    printed = {"r": 0.2425945, "alpha": 4.4136019, "a": 0.7929199, "b": 2.4258881}
    assert json.loads(values) == pytest.approx(printed, rel=1e-5)


def test_the_best_customers_share_of_sales(shop: tuple[Path, History]) -> None:
    warehouse, history = shop
    worth = {name: sum(one.sold.values()) for name, one in history.customers.items()}
    for credit in history.credits:
        if credit.customer in worth:
            worth[credit.customer] -= credit.amount
    ranked, total = sorted(worth.values(), reverse=True), sum(worth.values())
    found = rows(
        warehouse,
        "select top_percent, customers, net_sales, net_sales_share, multiple_of_average"
        " from fct_value_concentration order by top_percent",
    )
    assert [row[0] for row in found] == [1, 5, 10, 20, 50]
    for percent, customers, net_sales, share, multiple in found:
        best = ranked[: -(-percent * len(ranked) // 100)]
        assert (customers, net_sales) == (len(best), sum(best))
        assert share == pytest.approx(float(sum(best) / total))
        assert multiple == pytest.approx(float(sum(best) / len(best) / (total / len(ranked))))
