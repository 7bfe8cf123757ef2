"""Intervals for totals over many customers: of a cohort, of the shop.

Three things make a total uncertain: how often each customer buys, what he pays, and the parameters
themselves. The first two have a variance in closed form, and customers are independent given the
parameters; the third comes from the covariance of the fits by the delta method. The total then has
a gamma distribution of its mean and variance: never below 0, skewed where it is small, normal
where it is large.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from dagster_project.lib.ltv.arrays import Floats, Ints
from dagster_project.lib.ltv.fit import Fit
from dagster_project.lib.ltv.purchases import Purchases
from dagster_project.lib.ltv.spend import Spend

COVERAGE = 0.8


@dataclass(frozen=True)
class Totals:
    """By cohort: the expected total and the bounds of its interval; nan where its variance is not
    finite (values so uneven that the Gamma-Gamma model has none)."""

    expected: Floats
    lower: Floats
    upper: Floats


def total_purchases(
    fit: Fit[Purchases],
    x: Ints,
    t_x: Floats,
    T: Floats,
    customers: Floats,
    cohort: Ints,
    h: float,
    coverage: float = COVERAGE,
) -> Totals:
    """Purchases in (T, T + h] of each cohort. cohort: numbers 0, 1, .. of the groups' cohorts."""

    def expected(model: Purchases) -> Floats:
        return _sums(cohort, customers * model.expected_purchases(x, t_x, T, h))

    mean = fit.model.expected_purchases(x, t_x, T, h)
    chance = fit.model.second_moment(x, t_x, T, h) - mean**2
    variance = _sums(cohort, customers * chance) + _by_parameters(fit, expected)
    return _interval(expected(fit.model), variance, coverage)


def total_value(
    fit: Fit[Purchases],
    spend: Fit[Spend],
    x: Ints,
    t_x: Floats,
    T: Floats,
    x_m: Ints,
    m: Floats,
    customers: Floats,
    cohort: Ints,
    h: float,
    coverage: float = COVERAGE,
) -> Totals:
    """Value of the purchases in (T, T + h] of each cohort; m counts nowhere where x_m is 0.

    A customer who buys Y times for mean values of M spends sums with the mean square
    E M^2 (E Y^2 + E Y / p), for the values of one customer vary by M^2 / p.
    """
    purchases, values = fit.model, spend.model

    def by_purchases(model: Purchases) -> Floats:
        value = model.expected_purchases(x, t_x, T, h) * values.expected_spend(x_m, m)
        return _sums(cohort, customers * value)

    count = purchases.expected_purchases(x, t_x, T, h)

    def by_values(model: Spend) -> Floats:
        return _sums(cohort, customers * count * model.expected_spend(x_m, m))

    square = values.second_moment(x_m, m) * (
        purchases.second_moment(x, t_x, T, h) + count / values.p
    )
    chance = square - (count * values.expected_spend(x_m, m)) ** 2
    variance = (
        _sums(cohort, customers * chance)
        + _by_parameters(fit, by_purchases)
        + _by_parameters(spend, by_values)
    )
    return _interval(by_purchases(purchases), variance, coverage)


def _by_parameters(fit: Fit[Any], total: Callable[[Any], Floats]) -> Floats:
    """The variance of totals that the uncertainty of the parameters makes."""
    step, derivatives = 1e-4, []
    for name, value in fit.model.parameters.items():
        up, down = (replace(fit.model, **{name: value * np.exp(d)}) for d in (step, -step))
        derivatives.append((total(up) - total(down)) / (2 * step))
    return np.asarray(np.einsum("ij,ik,kj->j", derivatives, fit.covariance, derivatives))


def _sums(cohort: Ints, values: Floats) -> Floats:
    return np.bincount(cohort, values).astype(float)


def _interval(mean: Floats, variance: Floats, coverage: float) -> Totals:
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = variance / mean
        lower, upper = (
            special.gammaincinv(mean / scale, (1 + sign * coverage) / 2) * scale for sign in (-1, 1)
        )
    return Totals(mean, lower, upper)
