"""Opportunities and their grades by loops over purchases, on two shops.

Purchases and amounts are read from the published orders and lines; health scores and states from
the models that other tests are about.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy.stats import binomtest, rankdata

from dagster_project.lib.settings import load_settings
from tests.shops import rows

WINDOW = timedelta(days=90)
YEAR = timedelta(days=365)
Z = 1.959963984540054
ONE_OF = {"demo": 1, "olist": 40}  # so many customers one is compared
Pair = tuple[str, str]


@dataclass
class Purchase:
    day: date
    margins: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class Estimates:
    """What the past of a cut-off says of pairs of categories."""

    from_customers: dict[str, int]
    repurchases: dict[Pair, int]
    bought: Counter[Pair]
    base_rates: dict[str, float]
    overdispersion: float
    waits: dict[Pair, list[int]]

    def rate(self, pair: Pair) -> float:
        rho, base = self.overdispersion, self.base_rates[pair[1]]
        bought, repurchases = self.bought[pair], self.repurchases[pair]
        return (rho * bought + (1 - rho) * base) / (rho * repurchases + 1 - rho)

    @cached_property
    def reached(self) -> set[str]:
        return {category for (_, category), bought in self.bought.items() if bought >= 5}


@dataclass(frozen=True)
class Shop:
    warehouse: Path
    one_of: int
    customers: dict[str, list[Purchase]]
    as_of: date
    cut_offs: list[date]
    scores: dict[date, dict[str, float]]  # of those who may be offered something

    def earlier(self, cut_off: date) -> date | None:
        return max((day for day in self.cut_offs if day + WINDOW <= cut_off), default=None)

    @cached_property
    def told(self) -> list[date]:
        return [day for day in (*self.cut_offs, self.as_of) if self.earlier(day)]

    @cached_property
    def estimates(self) -> dict[date, Estimates]:
        return {cut_off: self.estimate(cut_off) for cut_off in self.told}

    def windows(self, cut_off: date) -> Iterator[tuple[str, date, list[Purchase], list[Purchase]]]:
        """Purchases before and in the 90 days after every third month end, of who has both."""
        earlier = self.earlier(cut_off)
        assert earlier
        first = min(purchases[0].day for purchases in self.customers.values())
        starts, start = [], earlier
        while start >= first:
            starts.append(start)
            for _ in range(3):
                start = start.replace(day=1) - timedelta(days=1)
        for name, purchases in self.customers.items():
            for start in starts if len(purchases) > 1 else ():
                past = [purchase for purchase in purchases if purchase.day <= start]
                then = [bought for bought in purchases if start < bought.day <= start + WINDOW]
                if past and then and past[-1].margins:
                    yield name, start, past, then

    def estimate(self, cut_off: date) -> Estimates:
        came: dict[str, set[str]] = defaultdict(set)
        came_from: Counter[str] = Counter()
        had: Counter[Pair] = Counter()
        bought: Counter[Pair] = Counter()
        all_had: Counter[str] = Counter()
        all_bought: Counter[str] = Counter()
        waits: dict[Pair, list[int]] = defaultdict(list)
        total = 0
        for name, _, past, then in self.windows(cut_off):
            total += 1
            old = {category for purchase in past for category in purchase.margins}
            new: dict[str, date] = {}
            for purchase in then:
                for category in purchase.margins.keys() - old:
                    new.setdefault(category, purchase.day)
            all_had.update(old)
            all_bought.update(new.keys())
            for origin in past[-1].margins:
                came[origin].add(name)
                came_from[origin] += 1
                had.update((origin, category) for category in old)
                bought.update((origin, category) for category in new)
                for category, day in new.items():
                    waits[origin, category].append((day - past[-1].day).days)
        base = {category: n / (total - all_had[category]) for category, n in all_bought.items()}
        many = {origin: len(names) for origin, names in came.items() if len(names) >= 30}
        repurchases = {
            (origin, category): came_from[origin] - had[origin, category]
            for origin in many
            for category in base
            if origin != category and came_from[origin] > had[origin, category]
        }
        excess = weight = 0.0
        for pair, number in repurchases.items():
            expected = number * base[pair[1]]
            if expected >= 1 and base[pair[1]] < 1 and number > 1:
                variance = expected * (1 - base[pair[1]])
                excess += (bought[pair] - expected) ** 2 / variance - 1
                weight += number - 1
        rho = min(max(excess / weight, 0), 1) if weight else 0.0
        bought = Counter({pair: n for pair, n in bought.items() if pair in repurchases})
        return Estimates(many, repurchases, bought, base, rho, waits)

    def repurchase_rates(self, cut_off: date) -> list[tuple[float, float]]:
        """(lowest score, rate) of each group."""
        earlier = self.earlier(cut_off)
        assert earlier
        scores = self.scores[earlier]
        if len(scores) < 30:
            return []
        groups = min(10, len(scores) // 30)
        values = np.array(list(scores.values()))
        places = np.floor(groups * (rankdata(values) - 0.5) / len(values)).astype(int)
        came = np.array(
            [any(earlier < p.day <= earlier + WINDOW for p in self.customers[n]) for n in scores]
        )
        found = [
            (values[places == group].min(), came[places == group].mean())
            for group in np.unique(places)
        ]
        return [(0.0, found[0][1]), *found[1:]]

    def values(self, cut_off: date) -> tuple[dict[str, Decimal], list[str]]:
        """Margin per purchase of each category, and the categories by how often it was bought."""
        margins: dict[str, list[Decimal]] = defaultdict(list)
        for purchases in self.customers.values():
            for purchase in purchases:
                if cut_off - YEAR < purchase.day <= cut_off:
                    for category, margin in purchase.margins.items():
                        margins[category].append(margin)
        popular = sorted(margins, key=lambda category: (-len(margins[category]), category))
        return {name: thousandth(sum(each) / len(each)) for name, each in margins.items()}, popular

    def compared(self, cut_off: date) -> dict[str, list[Purchase]]:
        return {
            name: [purchase for purchase in self.customers[name] if purchase.day <= cut_off]
            for name in sorted(self.scores[cut_off])[:: self.one_of]
        }

    def opportunities(self, cut_off: date) -> Iterator[tuple[str, list[tuple[Any, ...]], set[str]]]:
        """Of each customer the best three, and the categories had."""
        estimates, groups = self.estimates[cut_off], self.repurchase_rates(cut_off)
        margins, _ = self.values(cut_off)
        for name, past in self.compared(cut_off).items():
            old = {category for purchase in past for category in purchase.margins}
            score = self.scores[cut_off][name]
            buys = [rate for lowest, rate in groups if lowest <= score][-1] if groups else 0
            found = []
            for category in estimates.reached - old if buys else ():
                pairs = [
                    (origin, category)
                    for origin in past[-1].margins
                    if (origin, category) in estimates.repurchases
                ]
                told = [pair for pair in pairs if estimates.bought[pair] >= 5]
                if told and margins.get(category, 0) > 0:
                    best = min(told, key=lambda pair: (-estimates.rate(pair), pair))
                    chance = math.fsum(map(estimates.rate, pairs)) / len(pairs)
                    wait = math.floor(np.quantile(estimates.waits[best], 0.25))
                    found.append(
                        (
                            *(category, best[0], buys * chance, margins[category]),
                            *(estimates.from_customers[best[0]], estimates.repurchases[best]),
                            *(estimates.bought[best], past[-1].day + timedelta(days=wait)),
                        )
                    )
            found.sort(key=lambda row: (-row[2] * float(row[3]), row[0]))
            yield name, found[:3], old


def thousandth(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.001"), ROUND_HALF_UP)


def built(warehouse: Path, query: str) -> list[tuple[Any, ...]]:
    build = load_settings(warehouse=warehouse).build_file
    with duckdb.connect(str(build), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module", params=ONE_OF)
def shop(request: pytest.FixtureRequest) -> Shop:
    return read(request.getfixturevalue(request.param), ONE_OF[request.param])


def read(warehouse: Path, one_of: int) -> Shop:
    customers: dict[str, list[Purchase]] = defaultdict(list)
    for customer, day, category, margin in rows(
        warehouse,
        """
        select orders.customer_id, orders.order_date, lines.category,
            sum(lines.net_sales - coalesce(lines.cost, 0))
        from fct_orders as orders
        left join fct_order_lines as lines
            on orders.order_id = lines.order_id and lines.line_type = 'merchandise'
        where orders.is_valid and orders.customer_id is not null
        group by all order by orders.order_date, lines.category
        """,
    ):
        if not customers[customer] or customers[customer][-1].day != day:
            customers[customer].append(Purchase(day))
        if category:
            customers[customer][-1].margins[category] = margin
    scores: dict[date, dict[str, float]] = defaultdict(dict)
    for cut_off, customer, score in built(
        warehouse,
        """
        select cut_off_date, scores.customer_id, health_score
        from intermediate.int_health__scores as scores
        inner join intermediate.int_lifecycle__states as states
            on scores.customer_id = states.customer_id
            and cut_off_date between valid_from and coalesce(valid_to, cut_off_date)
        where not is_inactive and not is_negative_experience
        """,
    ):
        scores[cut_off][customer] = score
    *cut_offs, as_of = sorted(scores)
    return Shop(warehouse, one_of, dict(customers), as_of, cut_offs, dict(scores))


def test_rates_of_pairs_are_those_of_loops_over_windows(shop: Shop) -> None:
    compared = 0
    for cut_off, estimates in shop.estimates.items():
        got = {
            row[:2]: row[2:]
            for row in built(
                shop.warehouse,
                f"""
                select from_category, category, from_customers, repurchases, bought, has_evidence,
                    base_rate, overdispersion, rate, first_quartile_days
                from intermediate.int_cross_sell__transitions where cut_off_date = '{cut_off}'
                """,
            )
        }
        pairs = {pair for pair in estimates.repurchases if pair[1] in estimates.reached}
        assert got.keys() == pairs
        for pair in pairs:
            bought, waits = estimates.bought[pair], estimates.waits.get(pair)
            assert got[pair] == (
                estimates.from_customers[pair[0]],
                estimates.repurchases[pair],
                bought,
                bought >= 5,
                pytest.approx(estimates.base_rates[pair[1]], rel=1e-12),
                pytest.approx(estimates.overdispersion, abs=1e-10),
                pytest.approx(estimates.rate(pair), rel=1e-9),
                math.floor(np.quantile(waits, 0.25)) if waits else None,
            )
        compared += len(pairs)
    assert compared > 100


def test_repurchase_rates_are_those_of_tenths_by_midranks(shop: Shop) -> None:
    for cut_off in shop.told:
        got = built(
            shop.warehouse,
            f"""
            select lowest_score, repurchase_rate from intermediate.int_cross_sell__repurchase_rates
            where cut_off_date = '{cut_off}' order by score_group
            """,
        )
        expected = shop.repurchase_rates(cut_off)
        assert len(got) == len(expected) > 0
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_opportunities_are_those_of_loops_over_customers(shop: Shop) -> None:
    """Of these cut-offs all columns of each opportunity, and what the customers did then."""
    compared = 0
    published = rows(
        shop.warehouse,
        """
        select customer_id, rank, category, from_category, probability, expected_margin,
            from_customers, repurchases, bought, best_from_date, expected_value
        from fct_cross_sell_opportunities
        """,
    )
    for cut_off in shop.told:
        got = {
            row[:2]: row[2:]
            for row in built(
                shop.warehouse,
                f"""
                select customer_id, opportunity_rank, category, from_category, probability,
                    expected_margin, from_customers, repurchases, bought, best_from_date,
                    expected_value, has_bought, margin
                from intermediate.int_cross_sell__opportunities where cut_off_date = '{cut_off}'
                """,
            )
        }
        if cut_off == shop.as_of:
            assert {row[:2]: row[2:] for row in published} == {key: r[:9] for key, r in got.items()}
        compared_names = shop.compared(cut_off).keys()
        expected = {}
        for name, found, _ in shop.opportunities(cut_off):
            for rank, row in enumerate(found, start=1):
                came = bought_then(shop, name, row[0], cut_off)
                value = thousandth(Decimal(row[2] * float(row[3])))
                expected[name, rank] = (*row, value, came is not None, came)
                if cut_off == shop.as_of:
                    expected[name, rank] = (*row, value, None, None)
        assert {key for key in got if key[0] in compared_names} == expected.keys()
        for key, row in expected.items():
            assert got[key] == (*row[:2], pytest.approx(row[2], rel=1e-9), *row[3:])
        compared += len(expected)
    assert compared > 1000


def bought_then(shop: Shop, name: str, category: str, cut_off: date) -> Decimal | None:
    """What the first purchase of a category in the 90 days brought."""
    for purchase in shop.customers[name]:
        if cut_off < purchase.day <= cut_off + WINDOW and category in purchase.margins:
            return purchase.margins[category]
    return None


def test_grades_are_those_of_loops_over_customers_and_bestsellers(demo: Path) -> None:
    shop = read(demo, ONE_OF["demo"])
    got = {
        row[:2]: row[2:]
        for row in rows(
            shop.warehouse,
            """
            select cut_off_date, opportunity_rank, customers, opportunities, predicted_purchases,
                purchases, rival_purchases, expected_margin, actual_margin, rival_margin,
                purchase_rate_lower, purchase_rate_upper, rate_difference, rate_difference_lower,
                rate_difference_upper, margin_difference, margin_difference_lower,
                margin_difference_upper, is_better, is_better_by_margin, verdict
            from fct_cross_sell_backtests
            """,
        )
    }
    graded = [cut_off for cut_off in shop.told if cut_off != shop.as_of]
    assert got.keys() == {(day, rank) for day in graded for rank in ("1", "2", "3", "all")}
    for cut_off in graded:
        _, popular = shop.values(cut_off)
        outcomes: dict[str, list[list[tuple[Any, ...]]]] = defaultdict(list)
        for name, found, old in shop.opportunities(cut_off):
            rivals = [category for category in popular if category not in old][: len(found)]
            each = [
                (
                    *(row[2], thousandth(Decimal(row[2] * float(row[3])))),
                    *(bought_then(shop, name, row[0], cut_off), rival),
                )
                for row, rival in zip(
                    found,
                    (bought_then(shop, name, rival, cut_off) for rival in rivals),
                    strict=True,
                )
            ]
            if each:
                outcomes["all"].append(each)
            for rank, one in enumerate(each, start=1):
                outcomes[str(rank)].append([one])
        for rank, customers in outcomes.items():
            every = [one for each in customers for one in each]
            bought = sum(came is not None for *_, came, _ in every)
            rival_bought = sum(rival is not None for *_, rival in every)
            interval = binomtest(bought, len(every)).proportion_ci(method="wilson")
            figures = [
                *(len(customers), len(every), math.fsum(one[0] for one in every)),
                *(bought, rival_bought, sum(one[1] for one in every)),
                *(sum(came or 0 for *_, came, _ in every), sum(r or 0 for *_, r in every)),
                *(interval.low, interval.high),
            ]
            sizes = np.array([len(each) for each in customers])
            gains = (
                [sum((c is not None) - (r is not None) for *_, c, r in e) for e in customers],
                [float(sum((c or 0) - (r or 0) for *_, c, r in each)) for each in customers],
            )
            is_better = []
            for gain in map(np.array, gains):
                mean = gain.sum() / sizes.sum()
                margin = Z * math.sqrt(((gain - mean * sizes) ** 2).sum()) / sizes.sum()
                figures += [mean, mean - margin, mean + margin]
                is_better.append("better" if mean > margin else "worse" if -mean > margin else "")
            words = [word or "not better" for word in is_better]
            verdict = f"{words[0]} by purchases, {words[1]} by margin"
            *numbers, by_purchases, by_margin, said = got[cut_off, rank]
            is_compared = rank in ("1", "all")
            if not is_compared or bought + rival_bought < 10:
                assert numbers[-6:] == [None] * 6 and by_purchases is by_margin is None
                assert said.startswith("not graded" if is_compared else "compared as")
                numbers, figures = numbers[:-6], figures[:-6]
            else:
                assert said == verdict
                assert [by_purchases, by_margin] == [word == "better" for word in is_better]
            for mine, theirs in zip(numbers, figures, strict=True):
                assert float(mine) == pytest.approx(float(theirs), rel=1e-7, abs=1e-9)
