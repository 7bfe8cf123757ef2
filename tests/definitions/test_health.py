"""Health scores and their grades by loops over purchases, visits and signals, on three shops.

Purchases and categories are read from the published orders; which person a visit or a signal is of,
and since when that was known, from the models that other tests are about.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import mannwhitneyu, rankdata

from dagster_project.lib.settings import load_settings
from tests.shops import rows

Z = 1.959963984540054
COMPONENTS = ("recency", "frequency", "breadth", "engagement", "experience")
WEIGHTS = (40, 30, 10, 10, 10)
ONE_OF = {"demo": 1, "cdnow": 3, "olist": 60}  # so many customers one is compared


@dataclass
class Buyer:
    days: list[date] = field(default_factory=list)
    categories: dict[str, date] = field(default_factory=dict)
    visits: list[tuple[date, date, date | None]] = field(default_factory=list)
    signals: list[tuple[date, bool]] = field(default_factory=list)


@dataclass(frozen=True)
class Shop:
    buyers: dict[str, Buyer]
    warehouse: Path
    as_of: date
    one_of: int

    @cached_property
    def compared(self) -> dict[str, Buyer]:
        return dict(sorted(self.buyers.items())[:: self.one_of])

    @cached_property
    def returned(self) -> list[Buyer]:
        return [buyer for buyer in self.buyers.values() if len(buyer.days) > 1]

    def cut_offs(self) -> list[date]:
        """The latest twelve month ends with 180 days before and 90 after them."""
        first = min(buyer.days[0] for buyer in self.buyers.values())
        days = [first + timedelta(days=day) for day in range((self.as_of - first).days - 90 + 1)]
        ends = [day for day in days[180:] if (day + timedelta(days=1)).day == 1]
        return ends[-12:]


def built(warehouse: Path, query: str, *given: object) -> list[tuple[Any, ...]]:
    build = load_settings(warehouse=warehouse).build_file
    with duckdb.connect(str(build), read_only=True) as connection:
        return connection.execute(query, given).fetchall()


@pytest.fixture(scope="module", params=ONE_OF)
def shop(request: pytest.FixtureRequest) -> Shop:
    warehouse = request.getfixturevalue(request.param)
    buyers: dict[str, Buyer] = defaultdict(Buyer)
    for customer, day, category in rows(
        warehouse,
        """
        select distinct orders.customer_id, orders.order_date, lines.category
        from fct_orders as orders
        left join fct_order_lines as lines
            on orders.order_id = lines.order_id and lines.line_type = 'merchandise'
        where orders.is_valid and orders.customer_id is not null
        order by orders.order_date
        """,
    ):
        buyer = buyers[customer]
        if day not in buyer.days[-1:]:
            buyer.days.append(day)
        if category:
            buyer.categories.setdefault(category, day)
    for customer, *visit in built(
        warehouse,
        """
        select customer_id_then, event_date, known_from, known_until
        from intermediate.int_events__sessions join intermediate.int_sessions__identified
            using (session_id)
        where bot_reason is null and customer_id_then is not null
        """,
    ):
        buyers[customer].visits.append(tuple(visit))
    for customer, *signal in built(
        warehouse,
        "select customer_id, known_date, is_good from intermediate.int_experience__signals",
    ):
        buyers[customer].signals.append(tuple(signal))
    ((as_of,),) = built(warehouse, "select as_of_date from intermediate.int_run__settings")
    bought = {name: buyer for name, buyer in buyers.items() if buyer.days}
    return Shop(bought, warehouse, as_of, ONE_OF[request.param])


def gaps_of(days: list[date]) -> list[int]:
    return [(later - day).days for day, later in pairwise(days)]


def expected_scores(shop: Shop, on: date) -> Iterator[tuple[str, list[float | None]]]:
    """Customers with the five components, the score, gap, days since, and whether they bought."""
    by_number: dict[int, list[int]] = defaultdict(list)
    for buyer in shop.returned:
        for number, gap in enumerate(gaps_of([day for day in buyer.days if day <= on]), 1):
            if buyer.days[number - 1] + timedelta(days=180) <= on:
                by_number[number].append(gap)
    everybodys = [gap for gaps in by_number.values() for gap in gaps]
    common = {n: float(median(gaps)) for n, gaps in by_number.items() if len(gaps) >= 30}
    of_shop = float(median(everybodys)) if len(everybodys) >= 30 else None

    def visits(buyer: Buyer) -> int:
        return sum(
            0 <= (on - day).days < 90 and known_from <= on and (not until or until >= on)
            for day, known_from, until in buyer.visits
        )

    def signals(buyer: Buyer) -> list[tuple[date, bool]]:
        return [(day, is_good) for day, is_good in buyer.signals if 0 <= (on - day).days < 180]

    has_visits = any(visits(buyer) for buyer in shop.buyers.values())
    has_signals = any(signals(buyer) for buyer in shop.buyers.values())
    for name, buyer in shop.compared.items():
        days = [day for day in buyer.days if day <= on]
        if not days:
            continue
        own, since = gaps_of(days), (on - days[-1]).days
        gap = float(median(own)) if len(own) >= 3 else common.get(len(days), of_shop)
        year = sum((on - day).days < 365 for day in days)
        year_before = sum(365 <= (on - day).days < 730 for day in days)
        categories = sum(day <= on for day in buyer.categories.values())
        latest = max(signals(buyer), key=lambda signal: (signal[0], not signal[1]), default=None)
        points = [
            100 / (1 + since / (gap or 60)),
            min(100, 100 * year / max(year_before, 4)),
            min(100, 100 * categories / 3) if categories else None,
            min(100, 25 * visits(buyer)) if has_visits else None,
            (50 if latest is None else 100 if latest[1] else 0) if has_signals else None,
        ]
        known = [(p, weight) for p, weight in zip(points, WEIGHTS, strict=True) if p is not None]
        score = sum(p * weight for p, weight in known) / sum(weight for _, weight in known)
        is_graded = on < shop.as_of
        later = any(0 < (day - on).days <= 90 for day in buyer.days) if is_graded else None
        yield name, [*points, score, gap, since, later]


def test_scores_are_those_of_loops_over_what_was_known(shop: Shop) -> None:
    got = {
        row[:2]: list(row[2:])
        for row in built(
            shop.warehouse,
            f"""
            select cut_off_date, customer_id, {", ".join(f"{name}_score" for name in COMPONENTS)},
                health_score, expected_gap_days, days_since_last_purchase, has_repurchased
            from intermediate.int_health__scores where customer_id in (select unnest(?))
            """,
            list(shop.compared),
        )
    }
    compared = 0
    assert {day for day, _ in got} == {*shop.cut_offs(), shop.as_of}
    for day in (*shop.cut_offs(), shop.as_of):
        expected = dict(expected_scores(shop, day))
        np.testing.assert_allclose(
            np.array([got[day, name] for name in expected], dtype=float),
            np.array(list(expected.values()), dtype=float),
            rtol=1e-12,
        )
        compared += len(expected)
    assert compared > 1000
    of_today = dict(
        rows(shop.warehouse, "select customer_id, health_score from fct_customer_health")
    )
    assert of_today.keys() == shop.buyers.keys()
    assert all(of_today[name] == got[shop.as_of, name][5] for name in shop.compared)


@cache
def graded(warehouse: Path) -> dict[date, tuple[Any, ...]]:
    """For each cut-off health scores, days since the last purchase negated, and who bought."""
    found: dict[date, list[tuple[Any, ...]]] = defaultdict(list)
    for day, *row in built(
        warehouse,
        """
        select cut_off_date, health_score, - days_since_last_purchase, has_repurchased
        from intermediate.int_health__scores where has_repurchased is not null
        """,
    ):
        found[day].append(tuple(row))
    return {day: tuple(map(np.array, zip(*values, strict=True))) for day, values in found.items()}


def test_grades_are_those_of_all_pairs_of_customers(shop: Shop) -> None:
    """DeLong from every pair of one who bought and one who did not, with full covariances."""
    got = {
        day: figures
        for day, *figures in rows(
            shop.warehouse,
            """
            select cut_off_date, customers, repurchased_90_days, auc, days_since_last_auc,
                auc_lower, days_since_last_auc_lower, auc_upper, days_since_last_auc_upper,
                auc_difference, auc_difference_lower, auc_difference_upper, is_better, verdict
            from fct_health_backtests where score_decile = 'all'
            """,
        )
    }
    assert got.keys() == graded(shop.warehouse).keys()
    for day, (*scores, bought) in graded(shop.warehouse).items():
        counts, aucs, bounds = got[day][:2], got[day][2:4], got[day][4:11]
        sides = [(score[bought], score[~bought]) for score in scores]
        buyers, others = len(sides[0][0]), len(sides[0][1])
        assert counts == [buyers + others, buyers]
        found = np.array([mannwhitneyu(*side).statistic / (buyers * others) for side in sides])
        assert aucs == pytest.approx(found, abs=1e-12)
        if buyers * others > 2_000_000:
            continue
        above = [np.sign(np.subtract.outer(*side)) / 2 + 0.5 for side in sides]
        covariance = (
            np.cov([pairs.mean(axis=1) for pairs in above]) / buyers
            + np.cov([pairs.mean(axis=0) for pairs in above]) / others
        )
        margins = Z * np.sqrt(np.diag(covariance)) / (found * (1 - found))
        difference = found[0] - found[1]
        margin = Z * np.sqrt(np.array([1, -1]) @ covariance @ np.array([1, -1]))
        assert bounds == pytest.approx(
            [
                *expit(logit(found) - margins),
                *expit(logit(found) + margins),
                difference,
                difference - margin,
                difference + margin,
            ],
            abs=1e-8,
        )
        is_better, verdict = got[day][11:]
        word = "better" if difference > margin else "worse" if -difference > margin else None
        assert (is_better, verdict.split(" than ")[0]) == (word == "better", word or "not better")


def test_tenths_are_cut_by_midranks(shop: Shop) -> None:
    got = {
        (day, tenth): tuple(figures)
        for day, tenth, *figures in rows(
            shop.warehouse,
            """
            select cut_off_date, score_decile, customers, repurchased_90_days, repurchase_rate,
                lowest_score, highest_score
            from fct_health_backtests where score_decile <> 'all'
            """,
        )
    }
    expected = {}
    for day, (score, _, bought) in graded(shop.warehouse).items():
        tenths = np.floor(10 * (rankdata(score) - 0.5) / len(score)).astype(int) + 1
        for tenth in np.unique(tenths):
            own = tenths == tenth
            expected[day, str(tenth)] = (
                own.sum(),
                bought[own].sum(),
                bought[own].mean(),
                score[own].min(),
                score[own].max(),
            )
    assert got == expected
