"""Fits by cohort: which customers share one, and when that forecasts better."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.lib.ltv import cohorts
from dagster_project.lib.ltv.choice import paired_gain
from dagster_project.lib.ltv.cohorts import OWN_FIT_FROM, Candidate, Fits, cohort_of, fit_candidate
from dagster_project.lib.ltv.fit import Fit, fit_purchases
from dagster_project.lib.ltv.purchases import MBG_NBD, Purchases
from dagster_project.lib.ltv.scores import forecast
from tests.histories import Array, lives

BY_COHORT = Candidate(MBG_NBD, by_cohort=True)
FREQUENT, RARE = Purchases(MBG_NBD, 2.0, 8.0, 0.4, 2.0), Purchases(MBG_NBD, 0.5, 20.0, 0.8, 2.0)
WEEKS = 26.0


def shop_of(
    models: list[Purchases], each: int, seed: int = 0
) -> tuple[Array, tuple[Array, Array, Array], Array]:
    """Customers of consecutive cohorts, so many of each: their cohorts, their histories in weeks
    and what they bought afterwards. Those of one cohort come within four weeks."""
    parts = []
    for month, model in enumerate(models):
        shop = lives(model, each, seed + month, days=4, horizon=WEEKS + 50)
        earlier = 40 - 4 * month  # weeks between a cohort's end and the cut-off
        age = shop.age + earlier
        known = shop.when <= age[shop.who]
        x, t_x = np.bincount(shop.who[known], minlength=each), np.zeros(each)
        np.maximum.at(t_x, shop.who[known], shop.when[known])
        later = ~known & (shop.when <= age[shop.who] + WEEKS)
        actual = np.bincount(shop.who[later], minlength=each)
        parts.append((np.full(each, 600 + month), x, t_x, age, actual))
    cohort, x, t_x, T, actual = map(np.concatenate, zip(*parts, strict=True))
    return cohort, (x, t_x, T), actual


def log_scores(fits: Fits, cohort: Array, history: tuple[Array, ...], actual: Array) -> Array:
    scores = np.full(cohort.size, np.nan)
    for fit, chosen in fits.parts(cohort):
        own = (column[chosen] for column in history)
        scores[chosen] = forecast(fit.model, actual[chosen], *own, WEEKS).log_score
    return scores


def gain_by_cohort(models: list[Purchases], each: int) -> tuple[Fits, Any]:
    """The fits by cohort, and what they gain on one fit of all in what came afterwards."""
    cohort, history, actual = shop_of(models, each)
    one = np.ones(cohort.size, int)
    fits, pooled = (
        fit_candidate(candidate, cohort, *history, one)
        for candidate in (BY_COHORT, Candidate(MBG_NBD))
    )
    assert not pooled.cohorts
    scores = (log_scores(each, cohort, history, actual) for each in (fits, pooled))
    return fits, paired_gain(*scores, one)


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(0, 20_000))
def test_a_cohort_is_the_month_of_the_first_purchase(day: date, age: int) -> None:
    first = day - timedelta(days=age)

    assert cohort_of(day, age / 7) == (first.year - 1970) * 12 + first.month - 1


def test_cohorts_are_told_of_many_ages_at_once() -> None:
    day, ages = date(2024, 3, 1), [0, 1, 2, 29, 30, 60, 61]

    months = cohorts.EPOCH + cohort_of(day, np.array(ages) / 7)
    expected = ["2024-03", *["2024-02"] * 3, *["2024-01"] * 2, "2023-12"]
    assert months.astype(str).tolist() == expected


def fit_of(r: float) -> Fit[Purchases]:
    return Fit(Purchases(MBG_NBD, r, 1, 1, 1), 0.0, 0, np.zeros((4, 4)), None, True, False)


@given(st.lists(st.integers(590, 600), min_size=1), st.sets(st.integers(590, 600)), st.booleans())
def test_parts_cover_every_history_once(
    cohort: list[int], own: set[int], has_all_their_own: bool
) -> None:
    own = set(cohort) if has_all_their_own else own
    fits = Fits(fit_of(1), {month: fit_of(month) for month in own})

    found = {}
    for fit, chosen in fits.parts(np.array(cohort)):
        assert len(chosen)
        for position in chosen.tolist():
            assert position not in found
            found[position] = fit.model.r
    assert found == {i: month if month in own else 1 for i, month in enumerate(cohort)}


def test_without_cohorts_of_their_own_all_are_one_part() -> None:
    (part,) = Fits(fit_of(1)).parts(np.array([600, 601, 600]))

    assert part[0].model.r == 1
    assert part[1].tolist() == [0, 1, 2]


def test_fits_are_named_by_their_month() -> None:
    fits = Fits(fit_of(1), {0: fit_of(2), 648: fit_of(3)})

    assert [name for name, _ in fits.named()] == ["all", "1970-01", "2024-01"]


def test_only_a_cohort_of_enough_repeat_customers_has_a_fit_of_its_own() -> None:
    """The second first has just enough, then one too few; its others do not count, and groups
    count by their customers."""
    cohort, history, _ = shop_of([FREQUENT, FREQUENT], 1_000)
    x, second = history[0], cohort == 601
    repeats = np.flatnonzero(second & (x > 0))
    one = np.ones(cohort.size, int)
    for number, has_own in ((OWN_FIT_FROM, {600, 601}), (OWN_FIT_FROM - 1, {600})):
        kept = one.astype(bool)
        kept[repeats[number:]] = False
        arrays = (column[kept] for column in (cohort, *history, one))
        fits = fit_candidate(BY_COHORT, *arrays)
        assert fits.cohorts.keys() == has_own
        own = fit_purchases(MBG_NBD, *(c[~second & kept] for c in (*history, one)))
        assert fits.cohorts[600].model == own.model
        everybody = fit_purchases(MBG_NBD, *(c[kept] for c in (*history, one)))
        assert fits.everybody.model == everybody.model

    kept = one.astype(bool)
    kept[repeats[OWN_FIT_FROM // 2 :]] = False
    for weight, has_own in ((2, {600, 601}), (1, {600})):
        customers = np.where(second, weight, 1)
        arrays = (column[kept] for column in (cohort, *history, customers))
        assert fit_candidate(BY_COHORT, *arrays).cohorts.keys() == has_own


def test_cohorts_that_differ_are_each_near_their_truth_and_better_forecast() -> None:
    models = [FREQUENT, RARE]
    fits, gain = gain_by_cohort(models, 6_000)

    for month, model in enumerate(models):
        fit = fits.cohorts[600 + month]
        pairs = zip(fit.model.parameters.values(), model.parameters.values(), strict=True)
        off = np.array([np.log(found / true) for found, true in pairs])
        assert off @ np.linalg.solve(fit.covariance, off) < 18.5  # 99.9 % of chi-squared with 4
        expected, true = (
            float(each.expected_purchases(0, 0.0, 0.0, 52.0)) for each in (fit.model, model)
        )
        assert expected == pytest.approx(true, rel=0.05)
        pooled = float(fits.everybody.model.expected_purchases(0, 0.0, 0.0, 52.0))
        assert abs(pooled / true - 1) > 0.2
    assert gain.mean > 5 * gain.standard_error


def test_cohorts_that_are_alike_gain_nothing() -> None:
    fits, gain = gain_by_cohort([RARE] * 3, 4_000)

    assert len(fits.cohorts) == 3
    assert gain.mean < 2 * gain.standard_error
