"""Published predictions of a shop whose truth is known: its customers are drawn from the story of
the models, its orders end at as_of, and what they did afterwards is held against the marts."""

import json
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from lifetimes import GammaGammaFitter, ModifiedBetaGeoFitter

from dagster_project.lib.ltv.spend import Spend
from dagster_project.lib.publish.query import connect_published
from tests.constant_shop import AS_OF, BEHAVIOUR, write_orders
from tests.histories import Array, Lives, lives
from tests.shops import rebuild, settings_of

CUSTOMERS, SEED, DAYS, HORIZON = 100_000, 5, 730, 365
SPEND = Spend(6.0, 4.0, 150.0)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def shop() -> Lives:
    return lives(BEHAVIOUR, CUSTOMERS, SEED, DAYS, HORIZON, SPEND)


@pytest.fixture(scope="module")
def published(shop: Lives, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A connection to the warehouse of the orders up to as_of."""
    folder = tmp_path_factory.mktemp("truth")
    write_orders(folder / "landing" / "files", shop)
    settings = rebuild(settings_of(folder / "landing", folder / "warehouse"), as_of=AS_OF)
    with connect_published(settings) as connection:
        yield connection


def afterwards(shop: Lives, days: int) -> tuple[Array, float]:
    """By customer the days with a purchase in so many days after as_of, and the value of all."""
    since = shop.when - shop.age[shop.who]
    chosen = (since > 0) & (since <= days)
    bought = np.unique(np.stack([shop.who[chosen], np.floor(since[chosen])]), axis=1)
    counts = np.bincount(bought[0].astype(int), minlength=CUSTOMERS)
    return counts, float(shop.value[chosen].sum())


def expected_of_the_truth(shop: Lives, days: int) -> tuple[float, float]:
    """By another library from the parameters of the simulation and histories to the instant."""
    known = shop.when <= shop.age[shop.who]
    x = np.bincount(shop.who[known], minlength=CUSTOMERS)
    t_x, m = np.zeros(CUSTOMERS), np.bincount(shop.who[known], shop.value[known], CUSTOMERS)
    np.maximum.at(t_x, shop.who[known], shop.when[known])
    purchases, value = ModifiedBetaGeoFitter(), GammaGammaFitter()
    purchases.params_ = pd.Series(BEHAVIOUR.parameters)
    value.params_ = pd.Series({"p": SPEND.p, "q": SPEND.q, "v": SPEND.gamma})
    expected = purchases.conditional_expected_number_of_purchases_up_to_time(days, x, t_x, shop.age)
    each = value.conditional_expected_average_profit(x, m / np.maximum(x, 1))
    return float(expected.sum()), float((expected * each).sum())


@pytest.mark.parametrize("days", [180, 365])
def test_totals_are_what_happened_and_what_the_truth_expects(
    published: duckdb.DuckDBPyConnection, shop: Lives, days: int
) -> None:
    said = published.execute(
        f"select count(*), sum(expected_purchases_{days}_days), sum(predicted_ltv_{days}_days)"
        " from fct_customer_ltv"
    ).fetchone()
    assert said is not None and said[0] == CUSTOMERS
    total, sales = float(said[1]), float(said[2])
    counts, actual_sales = afterwards(shop, days)
    true_total, true_sales = expected_of_the_truth(shop, days)

    print(f"{days} days: {total:,.0f} purchases, {counts.sum():,} came, {true_total:,.0f} true")
    print(f"{days} days: {sales:,.0f} net sales, {actual_sales:,.0f} came, {true_sales:,.0f} true")
    assert total == pytest.approx(counts.sum(), rel=0.02)
    assert total == pytest.approx(true_total, rel=0.02)
    assert sales == pytest.approx(actual_sales, rel=0.02)
    assert sales == pytest.approx(true_sales, rel=0.02)


def test_four_of_five_counts_lie_between_the_tenths_of_their_distributions(
    published: duckdb.DuckDBPyConnection, shop: Lives
) -> None:
    """Each customer's count takes its place among 99 drawn from the published parameters, ties by
    chance: were these the truth, every place would be as likely as another."""
    ((name, text),) = published.execute(
        "select model_name, parameters from fct_ltv_models where is_chosen"
        " and cut_off_date = as_of_date and model_name <> 'gamma_gamma'"
    ).fetchall()
    assert name == "mbg_nbd"
    fitted, days = json.loads(text), 180
    table = published.execute(
        "select frequency, age_days, p_alive, customer_id from fct_customer_ltv"
        " order by customer_id"
    ).fetchnumpy()
    counts, _ = afterwards(shop, days)
    actual = counts[[int(customer[1:]) for customer in table["customer_id"]]]
    x, weeks = np.asarray(table["frequency"]), np.asarray(table["age_days"]) / 7
    random = np.random.default_rng(SEED)
    fewer, same = np.zeros(CUSTOMERS), np.zeros(CUSTOMERS)
    for _ in range(99):
        rate = random.gamma(fitted["r"] + x) / (fitted["alpha"] + weeks)
        leaving = random.beta(fitted["a"], fitted["b"] + x + 1)
        last = random.geometric(np.maximum(leaving, 1e-9))  # the purchase after which he leaves
        drawn = np.minimum(random.poisson(rate * days / 7), last)
        drawn[random.random(CUSTOMERS) > table["p_alive"]] = 0
        fewer, same = fewer + (drawn < actual), same + (drawn == actual)
    place = (fewer + random.random(CUSTOMERS) * (same + 1)) / 100

    share = np.mean((place >= 0.1) & (place <= 0.9))
    print(f"between the tenths: {share:.1%}, below {np.mean(place < 0.1):.1%}")
    assert 0.78 <= share <= 0.82
