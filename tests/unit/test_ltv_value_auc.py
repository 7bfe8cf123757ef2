"""Lovers against lurkers: the AUC against pairs counted one by one, its bounds against a bootstrap
that draws customer by customer."""

from collections import Counter
from datetime import date
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from dagster_project.lib.ltv.value_auc import auc, bounded_auc, value_aucs

Customers = list[tuple[int, int, bool]]  # cohort year, value, whether a lover


def drawn(seed: int, lovers: int = 30, lurkers: int = 200) -> Customers:
    random = np.random.default_rng(seed)
    many = lovers + lurkers
    years = random.integers(2021, 2024, many)
    values = random.poisson(6 + 2 * (np.arange(many) < lovers) + 3 * (2023 - years))
    return [
        (int(year), int(value), n < lovers)
        for n, (year, value) in enumerate(zip(years, values, strict=True))
    ]


def counted(customers: Customers) -> tuple[Any, ...]:
    counts = Counter(customers)
    keys = sorted({(year, value) for year, value, _ in customers})
    return (
        np.array([year for year, _ in keys]),
        np.array([counts[*key, True] for key in keys]),
        np.array([counts[*key, False] for key in keys]),
    )


def share_of_pairs(customers: Customers) -> float:
    lovers = [(year, value) for year, value, is_lover in customers if is_lover]
    lurkers = [(year, value) for year, value, is_lover in customers if not is_lover]
    pairs = [(a, b) for (y, a), (z, b) in product(lovers, lurkers) if y == z]
    return sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)


def figures(customers: Customers, seed: int = 1) -> tuple[float, float, float]:
    return bounded_auc(np.random.default_rng(seed), *counted(customers))


@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_those_of_one_cohort_year_and_ties_count_one_half(seed: int) -> None:
    customers = drawn(seed)
    assert figures(customers)[0] == pytest.approx(share_of_pairs(customers), abs=1e-12)


def test_within_one_year_it_is_the_statistic_of_mann_and_whitney() -> None:
    customers = [(2023, value, is_lover) for _, value, is_lover in drawn(7)]
    groups = [[v for _, v, lover in customers if lover is wanted] for wanted in (True, False)]
    expected = mannwhitneyu(*groups).statistic / (len(groups[0]) * len(groups[1]))
    assert figures(customers)[0] == pytest.approx(expected, abs=1e-12)


def test_bounds_are_those_of_drawing_customers_one_by_one() -> None:
    customers, random = drawn(11), np.random.default_rng(3)
    draws = []
    for _ in range(400):
        times = random.poisson(1, len(customers))
        again = [one for one, n in zip(customers, times, strict=True) for _ in range(n)]
        stratum, lovers, lurkers = counted(again)
        _, first = np.unique(stratum, return_index=True)
        draws.append(float(auc(first, lovers[None], lurkers[None])[0]))
    _, lower, upper = figures(customers)
    assert lower == pytest.approx(np.quantile(draws, 0.025), abs=0.02)
    assert upper == pytest.approx(np.quantile(draws, 0.975), abs=0.02)
    assert upper - lower > 0.1


def test_who_cannot_be_compared_is_not_and_too_few_say_nothing() -> None:
    enough = drawn(5)
    alone = [(2019, 10**6, True)] * 50 + [(2020, 10**6, False)] * 50
    assert figures([*enough, *alone])[0] == figures(enough)[0]
    assert np.isnan(figures(drawn(5, lovers=9))).all()
    assert np.isnan(figures(alone)).all()


def test_a_month_is_its_own_seed() -> None:
    stratum, lovers, lurkers = counted(drawn(9))
    counts = {"cohort_year": stratum, "lovers": lovers, "lurkers": lurkers}
    month = np.full(len(stratum), np.datetime64("2024-02-01"))
    found = value_aucs({**counts, "month": month})
    assert found == value_aucs({**counts, "month": month})
    assert found["month"] == [date(2024, 2, 1)]
    another = value_aucs({**counts, "month": month + np.timedelta64(29, "D")})
    assert another["value_auc"] == found["value_auc"]
    assert another["value_auc_lower"] != found["value_auc_lower"]


def test_a_shop_without_advocates_has_no_month() -> None:
    empty: dict[str, Any] = dict.fromkeys(("cohort_year", "lovers", "lurkers"), np.array([]))
    found = value_aucs({**empty, "month": np.array([], dtype="datetime64[us]")})
    assert set(map(len, found.values())) == {0}
