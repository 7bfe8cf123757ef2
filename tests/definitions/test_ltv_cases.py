"""Small shops in which lifetime value is refused, bounded or told with a note."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.intake.intake import run_intake
from dagster_project.lib.ltv import predict as predicting
from dagster_project.lib.settings import Settings
from tests import shops
from tests.shops import rebuild, rows, settings_of, write_csv

FIRST, LAST = date(2023, 1, 1), date(2024, 6, 30)
MARTS = ("fct_customer_ltv", "fct_ltv_models", "fct_ltv_backtests", "fct_ltv_forecasts")
MARTS += ("fct_ltv_cohorts", "fct_orders")
MODELS = (
    "select model_name, refusal_reason, note from fct_ltv_models"
    " where is_chosen and cut_off_date = as_of_date order by model_name desc"
)


def purchases(
    customers: int, every: float, until: date = LAST, leaving: float = 0.2
) -> Iterator[tuple[str, date, float]]:
    """Customers of the first year who buy at random moments for as much as they use to, and leave
    after a purchase with a probability of their own."""
    chance = random.Random(customers)
    for number in range(customers):
        day: float = chance.randrange(365)
        rate, level = chance.gammavariate(2, 1 / (2 * every)), chance.gammavariate(4, 10)
        loss = chance.betavariate(leaving, 1 - leaving) if 0 < leaving < 1 else leaving
        while FIRST + timedelta(days=day) <= until:
            amount = round(level * chance.uniform(0.5, 2), 2)
            yield f"c{number}", FIRST + timedelta(days=day), amount
            if chance.random() < loss:
                break
            day += chance.expovariate(rate)


def shop(folder: Path, bought: list[tuple[str, date, float]], **given: Any) -> Settings:
    write_csv(
        folder / "landing" / "orders.csv",
        [
            {
                "order_id": f"o{number}",
                "customer_id": customer,
                "ordered_at": f"{day}T{number % 24:02}:00:00",
                "merchandise_amount": f"{amount:.2f}",
            }
            for number, (customer, day, amount) in enumerate(bought)
        ],
    )
    given = {"ltv_min_repeat_customers": 50, "ltv_min_history_days": 360} | given  # one cut-off
    return settings_of(folder / "landing", folder / "warehouse", connectors="files", **given)


def built(folder: Path, bought: list[tuple[str, date, float]], **given: Any) -> Settings:
    return rebuild(shop(folder, bought, **given), as_of=LAST, marts=MARTS, with_predictions=True)


def test_one_time_buyers_are_told_that_they_are_too_few_who_came_back(tmp_path: Path) -> None:
    bought = [*purchases(60, every=90, leaving=1.0)]
    bought += [(f"back{who}", day, paid) for who, day, paid in purchases(49, every=5, leaving=0.0)]
    warehouse = built(tmp_path, bought)

    reason = "49 customers have bought again; predictions begin with 50"
    assert rows(warehouse, MODELS) == [("mbg_nbd", reason, None)]
    assert rows(
        warehouse,
        "select distinct refusal_reason, p_alive, expected_purchases_30_days,"
        " expected_value_per_purchase, predicted_ltv_365_days, total_ltv_365_days"
        " from fct_customer_ltv",
    ) == [(reason, None, None, None, None, None)]
    assert rows(warehouse, "from fct_ltv_forecasts") == []
    assert rows(warehouse, "from fct_ltv_backtests") == []
    assert rows(
        warehouse,
        "select count(*) from fct_ltv_cohorts"
        " where net_sales is null or predicted_cumulative_net_sales_per_customer is not null",
    ) == [(0,)]
    ((historic, sales),) = rows(
        warehouse,
        "select (select sum(historic_ltv) from fct_customer_ltv), sum(net_sales) from fct_orders",
    )
    assert historic == sales > 0


def test_a_young_shop_is_told_its_age(tmp_path: Path) -> None:
    early = FIRST + timedelta(days=179)
    bought = [
        (customer, day + (LAST - early), amount)
        for customer, day, amount in purchases(150, every=10, leaving=0.0, until=early)
    ]
    first = min(day for _, day, _ in bought)
    warehouse = built(tmp_path, bought, ltv_min_history_days=180)

    days = (LAST - first).days
    assert 100 < days < 180
    reason = f"the first purchase was {days} days ago; predictions begin at 180"
    assert rows(warehouse, MODELS) == [("mbg_nbd", reason, None)]


def test_a_forecast_that_missed_what_came_forbids_the_next(tmp_path: Path) -> None:
    """All purchases after the end of 2023 are those of one customer, of 40 of them."""
    bought = list(purchases(150, every=20, leaving=0.0, until=date(2023, 12, 31)))
    bought += [("c0", date(2024, 1, 2) + timedelta(days=4 * n), 30.0) for n in range(40)]
    warehouse = built(tmp_path, bought)

    (model, reason, _), *others = rows(warehouse, MODELS)
    assert not others
    ((cut_off, predicted, actual, share),) = rows(
        warehouse,
        "select cut_off_date, predicted, actual, pit_share from fct_ltv_backtests"
        f" where model_name = '{model}' and frequency_bucket = 'all'"
        " order by cut_off_date desc limit 1",
    )
    assert cut_off == date(2023, 12, 31) and actual == 40 and predicted > 60
    assert share < 0.7
    assert reason == (
        f"in the 180 days after {cut_off}, {share:.0%} of customers bought as often as was thought"
        " likely, where 80 % should have"
    )
    assert rows(warehouse, "select count(p_alive) from fct_customer_ltv") == [(0,)]


def test_purchases_are_predicted_where_their_value_cannot_be(tmp_path: Path) -> None:
    bought = list(purchases(120, every=40))
    seen: set[str] = set()
    free = []
    for customer, day, amount in bought:
        free.append((customer, day, amount if customer not in seen else 0.0))
        seen.add(customer)
    warehouse = built(tmp_path, free, count_zero_value_orders=True)

    reason = "no value is predicted: nobody has bought again for a positive value"
    purchase_model, value_model = rows(warehouse, MODELS)
    assert purchase_model[1] is None
    assert value_model == ("gamma_gamma", reason, None)
    ((customers, purchases_, values, reasons),) = rows(
        warehouse,
        "select count(*), count(expected_purchases_365_days), count(predicted_ltv_365_days),"
        f" count(*) filter (where refusal_reason = '{reason}') from fct_customer_ltv",
    )
    assert (purchases_, values, reasons) == (customers, 0, customers)
    assert rows(
        warehouse,
        "select count(purchases), count(purchases_upper), count(net_sales) from fct_ltv_forecasts",
    ) == [(4, 4, 0)]


def test_one_huge_order_is_no_forecast_of_others(tmp_path: Path) -> None:
    """Its buyer has no predicted value, and all others what they have without the order."""
    bought = list(purchases(150, every=40))
    huge = ("huge", date(2024, 1, 1), 40.0), ("huge", date(2024, 2, 1), 60_000.0)
    without = built(tmp_path / "without", [*bought, huge[0], (*huge[1][:2], 40.0)])
    with_it = built(tmp_path / "with", [*bought, *huge])

    query = (
        "select customer_id, predicted_ltv_365_days, refusal_reason from fct_customer_ltv"
        " order by customer_id"
    )
    for one, other in zip(rows(without, query), rows(with_it, query), strict=True):
        if one[0] == "huge":
            assert one[1:] == (one[1], None) and one[1] > 0
            reason = "repeat purchases worth more than the model of value can explain"
            assert other[1:] == (None, reason)
        else:
            assert float(other[1]) == pytest.approx(float(one[1]), rel=0.05)
    assert rows(with_it, MODELS)[1] == (
        *("gamma_gamma", None),
        "left out: 1 who paid more than it can explain",
    )
    for days in (30, 365):
        ((total, customers),) = rows(
            with_it,
            f"select (select net_sales from fct_ltv_forecasts where horizon_days = {days}),"
            f" sum(predicted_ltv_{days}_days) from fct_customer_ltv",
        )
        assert float(total) == pytest.approx(float(customers), abs=0.1)


def test_who_never_leaves_is_alive_and_the_model_says_so(tmp_path: Path) -> None:
    warehouse = built(tmp_path, list(purchases(150, every=15, leaving=0.0)))

    (_, reason, note), _ = rows(warehouse, MODELS)
    assert reason is None
    assert note == "no drop-out: nobody is seen to leave, so everybody counts as alive"
    assert rows(warehouse, "select min(p_alive), max(p_alive) from fct_customer_ltv") == [(1, 1)]
    assert rows(
        warehouse,
        "select is_boundary, standard_errors from fct_ltv_models"
        " where is_chosen and cut_off_date = as_of_date and model_name <> 'gamma_gamma'",
    ) == [(True, None)]


def test_purchases_of_one_day_that_count_apart_leave_regular_buyers_out(tmp_path: Path) -> None:
    bought = list(purchases(120, every=40))
    bought += [("twice", date(2023, 3, 1), 30.0)] * 2
    apart = built(tmp_path / "apart", bought, merge_same_day_orders=False)
    warehouse = built(tmp_path / "merged", bought)

    graded = "select distinct model_name from fct_ltv_backtests where model_name like '%cnbd%'"
    assert rows(warehouse, f"{graded} order by 1") == [("mbg_cnbd_2",), ("mbg_cnbd_3",)]
    assert rows(apart, graded) == []
    assert rows(apart, MODELS)[0][1] is None


def test_a_discount_rate_makes_later_purchases_worth_less(tmp_path: Path) -> None:
    bought = list(purchases(120, every=40))
    plain = built(tmp_path / "plain", bought)
    discounted = built(tmp_path / "discounted", bought, discount_rate_per_year=0.5)

    query = (
        "select predicted_ltv_30_days, predicted_ltv_365_days, expected_purchases_365_days"
        " from fct_customer_ltv order by customer_id"
    )
    for one, other in zip(rows(plain, query), rows(discounted, query), strict=True):
        assert float(other[0]) == pytest.approx(float(one[0]) * 1.5 ** (-15 / 365), abs=0.001)
        if one[1] > 1:
            assert 1.5 ** (-365 / 365) < other[1] / one[1] < 1.5 ** (-15 / 365)
        assert other[2] == one[2]
    sales = "select net_sales from fct_ltv_forecasts order by horizon_days"
    assert rows(plain, sales) == rows(discounted, sales)


def test_a_run_grades_the_cut_offs_that_changed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graded: list[date] = []
    grade = predicting.graded
    monkeypatch.setattr(
        predicting, "graded", lambda one: (graded.append(one.cut_off), grade(one))[1]
    )
    bought = list(purchases(120, every=40))
    often = {"ltv_min_repeat_customers": 5, "ltv_min_history_days": 180, "ltv_backtest_days": 270}
    ends = [
        date(2023, 6, 30),
        date(2023, 7, 31),
        date(2023, 8, 31),
        date(2023, 9, 30),
    ]
    built(tmp_path, bought, **often)
    assert graded == ends
    built(tmp_path, bought, **often)
    assert graded == ends
    first, *_ = min(bought, key=lambda purchase: purchase[1])
    late = (first, date(2024, 5, 20), 30.0)
    warehouse = built(tmp_path, [*bought, late], **often)
    assert graded == [*ends, date(2023, 8, 31), date(2023, 9, 30)]
    fresh = built(tmp_path / "fresh", [*bought, late], **often)
    for table in ("fct_ltv_backtests", "fct_ltv_models", "fct_customer_ltv"):
        assert sorted(map(str, rows(warehouse, f"from {table}"))) == sorted(
            map(str, rows(fresh, f"from {table}"))
        )


def test_a_fit_to_other_files_predicts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the models are built again, by hand or on Spark, without a fit between."""
    bought = list(purchases(120, every=40))
    built(tmp_path, bought)
    settings = shop(tmp_path, [*bought, (bought[0][0], LAST, 30.0)])
    monkeypatch.setattr(shops, "predict", lambda _: {})
    monkeypatch.setattr(
        shops, "run_intake", lambda *given, **more: run_intake(*given, **more | {"run_id": "next"})
    )
    warehouse = rebuild(settings, as_of=LAST)
    query = "select distinct refusal_reason, p_alive, predicted_ltv_30_days from fct_customer_ltv"
    reason = "no model has been fitted since the files were read"
    assert rows(warehouse, query) == [(reason, None, None)]
    assert rows(warehouse, "from fct_ltv_forecasts") == []
