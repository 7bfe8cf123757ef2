"""Opportunities of small shops, some of which can be worked out in the head, and of one whose
customers change categories with known probabilities."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

MARTS = ("fct_cross_sell_opportunities", "fct_cross_sell_backtests")
LAST = date(2025, 1, 31)
Bought = list[tuple[str, date, str]]  # customer, day, category
PRICES = {"tea": (10, 4), "cups": (20, 8)}


def shop(
    folder: Path,
    bought: Bought,
    prices: dict[str, tuple[int, int]] = PRICES,
    **files: list[dict[str, Any]],
) -> Settings:
    """One order of one line for each purchase, with price and cost."""
    orders, lines = [], []
    for number, (customer, day, category) in enumerate(bought):
        key = {"order_id": f"o{number}"}
        orders.append({**key, "customer_id": customer, "ordered_at": f"{day} 12:00:00"})
        price, cost = prices[category]
        line = {"line_number": 1, "quantity": 1, "unit_price": price, "unit_cost": cost}
        lines.append({**key, **line, "category": category})
    for name, table in {"orders": orders, "order_lines": lines, **files}.items():
        write_csv(folder / "landing" / f"{name}.csv", table)
    return settings_of(folder / "landing", folder / "warehouse", connectors="files")


def quarterly(customers: int) -> Bought:
    """Tea on the tenth of January, April, July and October, and on 20 November again; of every
    fourth customer cups then."""
    days = [date(2024, month, 10) for month in (1, 4, 7, 10)]
    return [
        (f"c{number:02}", day, "cups" if day.month == 11 and number % 4 == 0 else "tea")
        for number in range(customers)
        for day in (*days, date(2024, 11, 20))
    ]


def opportunities(settings: Settings) -> list[tuple[Any, ...]]:
    return rows(settings, "from fct_cross_sell_opportunities order by all")


def test_who_has_not_gone_on_is_offered_what_others_went_on_to(tmp_path: Path) -> None:
    """The 90 days after the ends of January, April, July and October see each of 40 customers buy
    again after tea, in 160 windows; in 10 of these they buy cups, 41 days later. All bought again
    in the last of them. Cups bring 20 - 8."""
    settings = rebuild(shop(tmp_path, quarterly(40)), as_of=LAST, marts=MARTS)
    columns = """
        customer_id, category, from_category, rank, probability, repurchase_rate,
        category_rate, expected_margin, expected_value, from_customers, repurchases, bought,
        best_from_date
    """
    assert rows(
        settings, f"select {columns} from fct_cross_sell_opportunities order by customer_id"
    ) == [
        (
            *(f"c{number:02}", "cups", "tea", 1, 0.0625, 1, 0.0625),
            *(Decimal(12), Decimal("0.75"), 40, 160, 10, date(2024, 12, 31)),
        )
        for number in range(40)
        if number % 4
    ]
    assert rows(settings, "from fct_cross_sell_backtests") == []


@pytest.mark.parametrize("customers", [16, 28])
def test_without_evidence_there_is_no_opportunity(tmp_path: Path, customers: int) -> None:
    """Less than 30 customers of tea."""
    built = rebuild(shop(tmp_path, quarterly(customers)), as_of=LAST, marts=MARTS)
    assert opportunities(built) == []


def test_four_purchases_are_no_evidence(tmp_path: Path) -> None:
    bought = [
        (name, day, "tea" if int(name[1:]) >= 16 else category)
        for name, day, category in quarterly(40)
    ]
    assert sum(category == "cups" for *_, category in bought) == 4
    assert opportunities(rebuild(shop(tmp_path, bought), as_of=LAST, marts=MARTS)) == []


def test_a_young_shop_has_none(tmp_path: Path) -> None:
    """No cut-off has 180 days before it and 90 after it by then."""
    settings = shop(tmp_path, quarterly(40))
    built = rebuild(settings, as_of=date(2024, 10, 26), marts=MARTS)
    assert opportunities(built) == []
    later = rebuild(settings, as_of=LAST - timedelta(days=31), marts=MARTS)
    assert len(opportunities(later)) == 30


def test_what_brings_nothing_is_not_offered(tmp_path: Path) -> None:
    prices = {"tea": (10, 4), "cups": (8, 8)}
    built = rebuild(shop(tmp_path, quarterly(40), prices), as_of=LAST, marts=MARTS)
    assert opportunities(built) == []


def test_who_is_angry_or_gone_is_offered_nothing(tmp_path: Path) -> None:
    """One rates badly ten days before, one has bought nothing since January."""
    bought = quarterly(41)
    gone = [row for row in bought if row[0] != "c01" or row[1] < date(2024, 2, 1)]
    angry = next(number for number, row in enumerate(gone) if row[0] == "c02")
    review = {"review_id": "r", "order_id": f"o{angry}", "rating": 1}
    review["reviewed_at"] = f"{LAST - timedelta(days=10)} 12:00:00"
    built = rebuild(shop(tmp_path, gone, reviews=[review]), as_of=LAST, marts=MARTS)
    offered = {row[0] for row in opportunities(built)}
    assert offered == {f"c{number:02}" for number in range(41) if number % 4} - {"c01", "c02"}


def test_a_shop_without_categories_has_none(tmp_path: Path) -> None:
    bought = [(name, day, "") for name, day, _ in quarterly(40)]
    built = rebuild(shop(tmp_path, bought, {"": (10, 4)}), as_of=LAST, marts=MARTS)
    assert opportunities(built) == []


# A shop whose customers buy at rates of their own, and go from category to category by chances that
# hang on the last one alone. So the chance that a customer buys a category within 90 days, which he
# has not bought so far, is exactly that of a Markov chain that is stopped there.

NAMES = ("a", "b", "c", "d", "e", "f")
STEPS = np.array(
    [
        [0.35, 0.40, 0.10, 0.05, 0.05, 0.05],  # after a mostly b
        [0.15, 0.50, 0.20, 0.05, 0.05, 0.05],
        [0.10, 0.10, 0.60, 0.10, 0.05, 0.05],
        [0.25, 0.05, 0.05, 0.55, 0.05, 0.05],
        [0.10, 0.10, 0.10, 0.10, 0.30, 0.30],
        [0.25, 0.10, 0.05, 0.05, 0.05, 0.50],
    ]
)
MARGINS = dict.fromkeys(NAMES, (10, 4))
END = date(2025, 12, 31)
DAYS, CUSTOMERS = 730, 4000


def chance_of(rate: float, last: int, category: int) -> float:
    """That a chain at `last` comes to `category` within 90 days, at so many steps a day."""
    others = [place for place in range(len(NAMES)) if place != category]
    stay = expm(90 * rate * (STEPS[np.ix_(others, others)] - np.eye(len(others))))
    return 1 - float(stay[others.index(last)].sum())


def simulated(seed: int) -> tuple[Bought, NDArray[np.float64]]:
    """The purchases of two years and each customer's purchases a day."""
    random = np.random.default_rng(seed)
    rates = random.gamma(2, 1 / 240, CUSTOMERS)
    bought: Bought = []
    for customer, rate in enumerate(rates):
        day, last = random.uniform(0, DAYS), int(random.integers(len(NAMES)))
        while day < DAYS:
            on = END - timedelta(days=DAYS - 1 - int(day))
            bought.append((f"c{customer}", on, NAMES[last]))
            day += 1 + random.exponential(1 / rate)
            last = int(random.choice(len(NAMES), p=STEPS[last]))
    return bought, rates


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, NDArray[np.float64]]:
    bought, rates = simulated(seed=5)
    settings = shop(tmp_path_factory.mktemp("chain"), bought, MARGINS)
    return rebuild(settings, as_of=END, marts=MARTS), rates


def test_probabilities_are_those_of_the_simulated_chain(
    chain: tuple[Settings, NDArray[np.float64]],
) -> None:
    """Together, by the category come from, and by rank: the best of three does not flatter."""
    settings, rates = chain
    found = rows(
        settings,
        """
        select customer_id, from_category, category, rank, probability
        from fct_cross_sell_opportunities
        """,
    )
    told: dict[Any, list[tuple[float, float]]] = {}
    for customer, origin, category, rank, probability in found:
        rate = rates[int(customer[1:])]
        truth = chance_of(float(rate), NAMES.index(origin), NAMES.index(category))
        for group in ("all", origin, rank):
            told.setdefault(group, []).append((probability, truth))
    assert len(told["all"]) > 2000
    sums = {group: np.sum(pairs, axis=0) for group, pairs in told.items()}
    ratios = {group: float(predicted / truth) for group, (predicted, truth) in sums.items()}
    assert ratios.pop("all") == pytest.approx(1, abs=0.1)
    assert ratios == pytest.approx(dict.fromkeys(ratios, 1), abs=0.15)


def test_what_follows_on_a_category_is_found_and_beats_the_bestsellers(
    chain: tuple[Settings, NDArray[np.float64]],
) -> None:
    settings, _ = chain
    best = rows(
        settings,
        """
        select from_category, mode(category) from fct_cross_sell_opportunities
        where rank = 1 group by all order by all
        """,
    )
    assert {"a": "b", "b": "c", "d": "a", "e": "f", "f": "a"}.items() <= dict(best).items()
    verdicts = rows(
        settings,
        "select opportunity_rank, is_better, verdict from fct_cross_sell_backtests",
    )
    assert [is_better for rank, is_better, _ in verdicts if rank == "1"] == [True] * 9
    assert not [verdict for _, _, verdict in verdicts if "worse" in verdict]
    for measure in ("rate", "margin"):
        (ordered,) = rows(
            settings,
            f"""
            select bool_and({measure}_difference_lower < {measure}_difference
                and {measure}_difference < {measure}_difference_upper)
            from fct_cross_sell_backtests
            """,
        )
        assert ordered == (True,)


def test_opportunities_of_a_past_cut_off_are_those_of_a_build_as_of_it(
    chain: tuple[Settings, NDArray[np.float64]], tmp_path: Path
) -> None:
    settings, _ = chain
    columns = """
        customer_id, category, from_category, opportunity_rank, probability, expected_margin,
        expected_value, from_customers, repurchases, bought, best_from_date
    """
    cut_off = date(2025, 6, 30)
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        then = connection.execute(
            f"select {columns} from intermediate.int_cross_sell__opportunities"
            f" where cut_off_date = '{cut_off}' order by all"
        ).fetchall()
    past = settings_of(settings.landing, tmp_path / "warehouse", connectors="files")
    built = rebuild(past, as_of=cut_off, marts=MARTS)
    published = columns.replace("opportunity_rank", "rank")
    assert rows(built, f"select {published} from fct_cross_sell_opportunities order by all") == then
    assert len(then) > 1000
