"""Intervals of totals: their cover, and the parts of their width."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dagster_project.lib.ltv.fit import Fit, fit_purchases, fit_spend
from dagster_project.lib.ltv.intervals import Part, Prospects, Worth, total_purchases, total_value
from dagster_project.lib.ltv.purchases import MBG_NBD, PROCESSES, Process, Purchases
from dagster_project.lib.ltv.spend import Spend
from tests.histories import simulated

SPEND = Spend(6.0, 4.0, 15.0)


def known(model: Any) -> Fit[Any]:
    """A fit of which nothing is uncertain."""
    size = len(model.parameters)
    return Fit(model, 0.0, 0, np.zeros((size, size)), None, True, False)


def of_all(fit: Fit[Purchases]) -> list[Part]:
    return [(fit, slice(None))]


def worth(fit: Fit[Spend], x_m: Any, m: Any, customers: Any) -> Worth:
    """Of customers who each have a history of their own."""
    return Worth.of(fit, x_m, m, customers, np.arange(np.size(x_m)))


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_four_of_five_cohorts_lie_in_their_interval(process: Process) -> None:
    model, spend = Purchases(process, 0.7, 40.0 / process.stages, 0.8, 2.0), Spend(0.4, 4.0, 15.0)
    shop = simulated(model, 8_000, seed=3, spend=spend)
    cohort = np.arange(8_000) % 200
    history = shop.x, shop.t_x, shop.T
    purchases = total_purchases(
        Prospects.of(of_all(known(model)), *history, 180), shop.customers, cohort
    )
    values = worth(known(spend), shop.x_m, shop.m, shop.customers)
    value = total_value(Prospects.of(of_all(known(model)), *history, 180), values, cohort)
    for said, happened in ((purchases, shop.holdout), (value, shop.holdout_value)):
        actual = np.bincount(cohort, happened)
        covered = (said.lower <= actual) & (actual <= said.upper)
        assert covered.mean() == pytest.approx(0.8, abs=0.093)  # 99.9 % of 200 tosses
        assert actual.sum() == pytest.approx(said.expected.sum(), rel=0.05)
        assert (actual < said.lower).any() and (actual > said.upper).any()


def test_with_very_many_customers_only_the_parameters_are_uncertain() -> None:
    shop = simulated(Purchases(MBG_NBD, 0.6, 60.0, 0.9, 2.2), 8_000, seed=1, spend=SPEND)
    history, has = (shop.x, shop.t_x, shop.T), shop.x > 0
    fit = fit_purchases(MBG_NBD, *history, shop.customers)
    spend = fit_spend(shop.x_m[has], shop.m[has], shop.customers[has])
    values, many, one = (shop.x_m, shop.m), shop.customers * 1e9, np.zeros(8_000, int)
    alike, uncertain = worth(known(spend.model), *values, many), worth(spend, *values, many)
    random = np.random.default_rng(0)

    def drawn(fit: Fit[Any]) -> Any:
        logs = random.multivariate_normal(np.zeros(len(fit.covariance)), fit.covariance)
        parameters = fit.model.parameters.items()
        return replace(
            fit.model,
            **{name: value * np.exp(d) for (name, value), d in zip(parameters, logs, strict=True)},
        )

    purchases = [drawn(fit).expected_purchases(*history, 180) for _ in range(300)]
    value = [drawn(spend).expected_spend(*values) for _ in range(300)]
    expected = fit.model.expected_purchases(*history, 180)
    for said, draws in (
        (total_purchases(Prospects.of(of_all(fit), *history, 180), many, one), purchases),
        (
            total_value(Prospects.of(of_all(fit), *history, 180), alike, one),
            [each * spend.model.expected_spend(*values) for each in purchases],
        ),
        (
            total_value(Prospects.of(of_all(known(fit.model)), *history, 180), uncertain, one),
            [each * expected for each in value],
        ),
    ):
        totals = [draw.sum() * 1e9 for draw in draws]
        width = np.diff(np.quantile(totals, [0.1, 0.9]))[0]
        assert said.upper[0] - said.lower[0] == pytest.approx(width, rel=0.25)
        assert said.expected[0] == pytest.approx(np.mean(totals), rel=0.02)


def test_cohorts_sum_to_the_shop_whose_interval_is_narrower_than_all_of_theirs() -> None:
    model = Purchases(MBG_NBD, 0.6, 60.0, 0.9, 2.2)
    shop = simulated(model, 2_000, seed=1)
    history = shop.x, shop.t_x, shop.T
    fit = fit_purchases(MBG_NBD, *history, shop.customers)
    cohorts = total_purchases(
        Prospects.of(of_all(fit), *history, 180), shop.customers, np.arange(2_000) % 5
    )
    whole = total_purchases(
        Prospects.of(of_all(fit), *history, 180), shop.customers, np.zeros(2_000, int)
    )

    assert cohorts.expected.sum() == pytest.approx(whole.expected[0])
    assert (cohorts.upper - cohorts.lower).sum() > whole.upper[0] - whole.lower[0]
    assert whole.lower[0] < whole.expected[0] < whole.upper[0]


def test_values_too_uneven_for_a_variance_have_no_interval() -> None:
    model, none = Purchases(MBG_NBD, 0.6, 60.0, 0.9, 2.2), np.zeros(1, int)
    uneven = worth(known(Spend(2.0, 1.5, 15.0)), none, none, none + 1)
    said = total_value(Prospects.of(of_all(known(model)), none, none, none, 90), uneven, none)

    assert np.isfinite(said.expected).all()
    assert np.isnan(said.lower).all() and np.isnan(said.upper).all()


def test_a_total_of_nothing_is_certain() -> None:
    none = np.zeros(1, int)
    known_model = known(Purchases(MBG_NBD, 0.6, 60.0, 0.9, 2.2))
    prospects = Prospects.of(of_all(known_model), none, none, none, 90)
    said = total_purchases(prospects, np.array([0.0]), none)

    assert (said.expected[0], said.lower[0], said.upper[0]) == (0, 0, 0)


@pytest.mark.long
def test_totals_of_two_hundred_shops_lie_in_their_intervals_as_often_as_they_should() -> None:
    model, covered = Purchases(MBG_NBD, 0.6, 60.0, 0.9, 2.2), []
    for seed in range(200):
        shop = simulated(model, 2_000, seed, spend=SPEND)
        history, has = (shop.x, shop.t_x, shop.T), shop.x > 0
        fit = fit_purchases(MBG_NBD, *history, shop.customers)
        spend = fit_spend(shop.x_m[has], shop.m[has], shop.customers[has])
        one, values = np.zeros(2_000, int), (shop.x_m, shop.m)
        purchases = total_purchases(Prospects.of(of_all(fit), *history, 180), shop.customers, one)
        value = total_value(
            Prospects.of(of_all(fit), *history, 180), worth(spend, *values, shop.customers), one
        )
        covered.append(
            [
                (said.lower[0] <= actual.sum() <= said.upper[0])
                for said, actual in ((purchases, shop.holdout), (value, shop.holdout_value))
            ]
        )
    for share in np.mean(covered, axis=0):
        print(f"covered: {share:.1%}")
        assert 0.72 <= share <= 0.88
