"""What follows on which category, against plain counts, scipy and mpmath.

Purchases are read from fct_orders and fct_order_lines, which other tests compare with the truth.
"""

import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import mpmath
import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control, hypergeom

from dagster_project.lib.settings import Settings
from tests.shops import dbt, rebuild, rows, settings_of, write_csv

Transition = tuple[set[str], set[str]]
Counts = tuple[int, int, int, int]  # of the pair, the first category, the second, all customers
COLUMNS = (
    "is_same_category, customers, first_customers, second_customers, transition_customers,"
    " expected_customers, support, confidence, lift, lift_lower, p_value, q_value"
)


def transitions_of(warehouse: Path) -> list[Transition]:
    """Categories of the first two days with a valid order, of customers with some on both."""
    categories: dict[str, set[str]] = defaultdict(set)
    lines = "select order_id, line_type, category from fct_order_lines"
    for order_id, line_type, category in rows(warehouse, lines):
        if line_type == "merchandise" and category is not None:
            categories[order_id].add(category)
    bought: dict[str, dict[Any, set[str]]] = defaultdict(lambda: defaultdict(set))
    orders = "select customer_id, order_date, order_id, is_valid from fct_orders"
    for customer, day, order_id, is_valid in rows(warehouse, orders):
        if is_valid and customer is not None:
            bought[customer][day] |= categories[order_id]
    firsts = [[days[day] for day in sorted(days)][:2] for days in bought.values()]
    return [(sides[0], sides[1]) for sides in firsts if len(sides) == 2 and all(sides)]


def affinities(transitions: list[Transition]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(first category, second category) -> COLUMNS"""
    total = len(transitions)
    firsts = sorted(set().union(*(first for first, _ in transitions)))
    seconds = sorted(set().union(*(second for _, second in transitions)))
    in_firsts = Counter(name for first, _ in transitions for name in first)
    in_seconds = Counter(name for _, second in transitions for name in second)
    pairs = Counter(pair for sides in transitions for pair in itertools.product(*sides))
    found: dict[tuple[str, str], list[Any]] = {}
    for one, other in itertools.product(firsts, seconds):
        both, in_first, in_second = pairs[one, other], in_firsts[one], in_seconds[other]
        is_expected = in_first * in_second >= total
        if not both and not is_expected:
            continue
        lift = both * total / (in_first * in_second)
        lower = 0.0 if is_expected else None
        if both and is_expected:
            below = binomtest(both, in_first).proportion_ci(method="wilson").low
            above = binomtest(in_second, total).proportion_ci(method="wilson").high
            distances = math.log(both / in_first / below), math.log(above / in_second * total)
            lower = lift * math.exp(-math.hypot(*distances))
        p_value = float(hypergeom.sf(both - 1, total, in_first, in_second)) if is_expected else None
        found[one, other] = [
            *(one == other, both, in_first, in_second, total, in_first * in_second / total),
            *(both / total, both / in_first, lift, lower, p_value, None),
        ]
    family = [pair for pair, row in found.items() if pair[0] != pair[1] and row[-2] is not None]
    if family:
        adjusted = false_discovery_control([found[pair][-2] for pair in family])
        for pair, q_value in zip(family, adjusted, strict=True):
            found[pair][-1] = float(q_value)
    return {pair: tuple(row) for pair, row in found.items()}


def mart(warehouse: Settings | Path) -> dict[tuple[str, str], tuple[Any, ...]]:
    found = rows(
        warehouse, f"select first_category, second_category, {COLUMNS} from fct_category_affinities"
    )
    return {row[:2]: row[2:] for row in found}


def equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9)


@pytest.mark.parametrize("name", ["demo", "olist"])
def test_a_shop_has_the_affinities_of_plain_counts(
    name: str, request: pytest.FixtureRequest
) -> None:
    warehouse = request.getfixturevalue(name)
    expected = affinities(transitions_of(warehouse))
    assert sum(row[-1] is not None for row in expected.values()) > 100
    got = mart(warehouse)
    assert got.keys() == expected.keys()
    for pair, row in expected.items():
        assert all(map(equal, got[pair], row)), (pair, got[pair], row)


def test_a_shop_without_categories_has_no_affinities(online_retail: Path) -> None:
    assert transitions_of(online_retail) == []
    assert mart(online_retail) == {}


# Shops written by hand


def shop(folder: Path, customers: Iterable[tuple[str, ...]]) -> Settings:
    """Of each customer the categories of the occasions, one letter each."""
    orders, lines = [], []
    for number, occasions in enumerate(customers):
        for day, categories in enumerate(occasions, start=1):
            order = f"{number}-{day}"
            orders.append(
                {
                    "order_id": order,
                    "customer_id": f"c{number}",
                    "ordered_at": f"2024-02-{day:02} 12:00:00",
                    "merchandise_amount": 1,
                }
            )
            lines += [
                {
                    "order_id": order,
                    "line_number": place,
                    "quantity": 1,
                    "unit_price": 1,
                    "category": category,
                }
                for place, category in enumerate(categories, start=1)
            ]
    write_csv(folder / "landing" / "files" / "orders.csv", orders)
    if lines:
        write_csv(folder / "landing" / "files" / "order_lines.csv", lines)
    settings = settings_of(folder / "landing", folder / "warehouse")
    return rebuild(settings, marts=["fct_category_affinities", "fct_orders", "fct_order_lines"])


def test_a_shop_of_orders_alone_has_no_affinities(tmp_path: Path) -> None:
    assert mart(shop(tmp_path, [("", ""), ("", "")])) == {}


def test_with_one_category_nothing_can_be_more_than_expected(tmp_path: Path) -> None:
    built = shop(tmp_path, [("t", "t")] * 3 + [("t", ""), ("", "t"), ("t",)])
    lower = 3 / (3 + 1.959963984540054**2)  # Wilson's of 3 of 3
    found = mart(built)
    assert found.keys() == {("t", "t")}
    whole = (True, 3, 3, 3, 3, 3.0, 1.0, 1.0, 1.0, lower, 1.0, None)
    assert all(map(equal, found["t", "t"], whole))


def test_customers_count_once_for_each_pair_and_their_third_occasion_not(tmp_path: Path) -> None:
    built = shop(tmp_path, [("ttc", "ccb", "p"), ("t", "b", "t"), ("c", "t"), ("p", "t")])
    counts = {pair: row[1:5] for pair, row in mart(built).items()}
    assert counts == {
        ("t", "c"): (1, 2, 1, 4),
        ("t", "b"): (2, 2, 2, 4),
        ("t", "t"): (0, 2, 2, 4),  # one is expected
        ("c", "c"): (1, 2, 1, 4),
        ("c", "b"): (1, 2, 2, 4),
        ("c", "t"): (1, 2, 2, 4),
        ("p", "t"): (1, 1, 2, 4),
    }
    # The 2 of 4 customers who buy tea first are by chance the 2 who buy books then in 1 of 6 cases;
    # of cups, too, one customer is expected to go on to books and one to tea: three pairs in all.
    assert mart(built)["t", "b"][-2:] == pytest.approx((1 / 6, 3 / 6), rel=1e-12)


def test_a_planted_affinity_has_the_smallest_q_and_a_lift_surely_above_one(tmp_path: Path) -> None:
    chance = random.Random(3)
    customers = []
    for _ in range(600):
        first, second = chance.choice("abcdef"), chance.choice("abcdef")
        customers.append((first, "b" if first == "a" and chance.random() < 0.2 else second))
    found = mart(shop(tmp_path, customers))
    family = {pair: row for pair, row in found.items() if row[-1] is not None}
    assert len(family) == 30
    assert min(family, key=lambda pair: family[pair][-1]) == ("a", "b")
    assert [pair for pair, row in family.items() if row[-1] < 0.05] == [("a", "b")]
    lift, lower = found["a", "b"][8:10]
    assert 1 < lower < lift


# Counts of any size, handed to the mart


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return shop(tmp_path_factory.mktemp("smallest"), [("t", "t")])


def figures_of(smallest: Settings, counts: Iterable[Counts], columns: str) -> list[tuple[Any, ...]]:
    """These columns for each of the counts."""
    table = "intermediate.int_repeat__category_pairs"
    listed = ", ".join(str((f"{place:06}", "-", *row)) for place, row in enumerate(counts))
    with duckdb.connect(str(smallest.build_file)) as connection:
        connection.execute(f"delete from {table}; insert into {table} values {listed}")
    dbt(smallest, "run", "--select", "fct_category_affinities")
    with duckdb.connect(str(smallest.build_file)) as connection:
        return connection.execute(
            f"select {columns} from marts.fct_category_affinities order by first_category"
        ).fetchall()


def any_counts(number: int, largest: int, seed: int) -> list[Counts]:
    """Tables of which a customer or more is expected: far out, near the middle, at the edges."""
    chance = random.Random(seed)
    found: list[Counts] = []
    while len(found) < number:
        total = chance.choice([largest, round(largest ** chance.random())])
        first, second = (
            chance.choice([chance.randint(1, total), round(total ** chance.random())])
            for _ in range(2)
        )
        if first * second < total:
            continue
        spread = math.sqrt(first * second * (total - first) * (total - second) / total**3)
        around = round(
            first * second / total + chance.choice([6, 30]) * chance.gauss(0, spread) / 3
        )
        lowest, highest = max(0, first + second - total), min(first, second)
        both = chance.choice([around, around, chance.randint(lowest, highest)])
        found.append((min(max(both, lowest), highest), first, second, total))
    return found


@pytest.mark.parametrize(
    ("largest", "precision"),
    [(50, 1e-11), (5_000, 1e-11), (1_000_000, 1e-9)],  # scipy has ten digits of a million
)
def test_the_test_of_a_pair_is_the_hypergeometric_one(
    smallest: Settings, largest: int, precision: float
) -> None:
    counts = any_counts(3000, largest, seed=largest)
    found = figures_of(smallest, counts, "p_value, q_value")
    p_values = [p_value for p_value, _ in found]
    expected = [hypergeom.sf(both - 1, total, a, b) for both, a, b, total in counts]
    compared = [pair for pair in zip(p_values, expected, strict=True) if pair[1] > 1e-200]
    assert len(compared) > 2000
    assert max(abs(got / wanted - 1) for got, wanted in compared) < precision
    assert [q for _, q in found] == pytest.approx(false_discovery_control(p_values), rel=1e-12)


def exact_tail(both: int, first: int, second: int, total: int) -> mpmath.mpf:
    """The sum over every term, in 60 digits."""
    ways, summed = mpmath.binomial(first, both), mpmath.mpf(0)
    ways *= mpmath.binomial(total - first, second - both)
    for x in range(both, min(first, second) + 1):
        summed += ways
        ways *= mpmath.mpf((first - x) * (second - x)) / (
            (x + 1) * (total - first - second + x + 1)
        )
    return summed / mpmath.binomial(total, second)


def test_tails_of_a_million_customers_are_good_to_eleven_digits(smallest: Settings) -> None:
    counts = [
        (400, 20_000, 20_000, 1_000_000),
        (401, 20_000, 20_000, 1_000_000),
        (1_100, 20_000, 20_000, 1_000_000),
        (54_367, 508_113, 105_404, 1_000_000),
        (52_000, 508_113, 105_404, 1_000_000),
        (3, 2, 3, 1_000_000),
        (2, 1_500, 700, 1_000_000),
        (1, 1_000, 1_000, 1_000_000),
        (0, 1_000, 1_000, 1_000_000),
        (999_999, 999_999, 1_000_000, 1_000_000),
    ]
    counts = [row for row in counts if row[0] <= min(row[1:3]) and row[1] * row[2] >= row[3]]
    with mpmath.workdps(60):
        expected = [exact_tail(*row) for row in counts]
        for row, (got,), wanted in zip(
            counts, figures_of(smallest, counts, "p_value"), expected, strict=True
        ):
            assert abs(got / wanted - 1) < 1e-11, row


@pytest.mark.parametrize(
    ("total", "first", "second", "lift"),
    [
        (20_000, 0.02, 0.05, 1.0),
        (1_000, 0.05, 0.05, 1.0),
        (1_000, 0.005, 0.5, 1.0),
        (1_000, 0.02, 0.5, 1.5),
    ],
)
def test_a_lift_is_below_its_lower_bound_in_one_case_of_forty_at_most(
    smallest: Settings, total: int, first: float, second: float, lift: float
) -> None:
    both = first * second * lift
    shares = [both, first - both, second - both, 1 - first - second + both]
    drawn = np.random.default_rng(total).multinomial(total, shares, size=10_000)
    counts = [(int(a), int(a + b), int(a + c), total) for a, b, c, _ in drawn if a + b and a + c]
    bounds = [lower for (lower,) in figures_of(smallest, counts, "lift_lower") if lower is not None]
    assert 0.01 < sum(lift < lower for lower in bounds) / len(bounds) < 0.035
