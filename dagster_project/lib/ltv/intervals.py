"""Intervals for totals over many customers: of a cohort, of the shop.

Three things make a total uncertain: how often each customer buys, what he pays, and the parameters
themselves. The first two have a variance in closed form, and customers are independent given the
parameters; the third comes from the covariance of the fits by the delta method. The total then has
a gamma distribution of its mean and variance: never below 0, skewed where it is small, normal
where it is large.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import special

from dagster_project.lib.ltv.arrays import Counts, Floats, Ints
from dagster_project.lib.ltv.fit import Fit
from dagster_project.lib.ltv.purchases import Purchases
from dagster_project.lib.ltv.spend import Spend

COVERAGE = 0.8

Part = tuple[Fit[Purchases], Ints | slice]
"""A fit, and the positions of the histories of which it speaks; parts share none."""


@dataclass(frozen=True)
class Totals:
    """By cohort: the expected total and the bounds of its interval; nan where its variance is not
    finite (values so uneven that the Gamma-Gamma model has none)."""

    expected: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class Worth:
    """What the purchases of all customers with one history are worth, one value per history.

    mean: the sum over customers of their expected value per purchase. mean_square, square_of_mean:
    the sums of its mean square and of the square of its mean. slopes: of `mean`, by the log
    parameters, whose covariance is that of the fit. p: of the Gamma-Gamma model.
    """

    mean: Floats
    mean_square: Floats
    square_of_mean: Floats
    slopes: Floats
    covariance: Floats
    p: float

    @classmethod
    def of(cls, fit: Fit[Spend], x_m: Ints, m: Floats, customers: Counts, history: Ints) -> "Worth":
        """history: positions of the customers' histories; m counts nowhere where x_m is 0."""

        def total(model: Spend) -> Floats:
            return _sums(history, customers * model.expected_spend(x_m, m))

        mean, sums = fit.model.expected_spend(x_m, m), total(fit.model)
        return cls(
            sums,
            _sums(history, customers * fit.model.second_moment(x_m, m)),
            _sums(history, customers * mean**2),
            _slopes(fit, total, sums),
            fit.covariance,
            fit.model.p,
        )


@dataclass(frozen=True)
class Prospects:
    """Purchases in (T, T + h], one value per history: their mean and mean square, the derivatives
    of the mean by the log parameters, and the part, whose fit has the covariance of that number."""

    mean: Floats
    square: Floats
    slopes: Floats
    part: Ints
    covariances: Floats

    @classmethod
    def of(cls, parts: Sequence[Part], x: Ints, t_x: Floats, T: Floats, h: float) -> "Prospects":
        mean, square, slopes = np.empty(x.size), np.empty(x.size), np.empty((4, x.size))
        number = np.zeros(x.size, int)
        for i, (fit, chosen) in enumerate(parts):
            expected = partial(_expected, x[chosen], t_x[chosen], T[chosen], h)
            mean[chosen] = expected(fit.model)
            square[chosen] = fit.model.second_moment(x[chosen], t_x[chosen], T[chosen], h)
            slopes[:, chosen] = _slopes(fit, expected, mean[chosen])
            number[chosen] = i
        return cls(mean, square, slopes, number, np.array([fit.covariance for fit, _ in parts]))

    def at(self, positions: Ints) -> "Prospects":
        """Of the histories there, each as often as it is named."""
        return Prospects(
            self.mean[positions],
            self.square[positions],
            self.slopes[:, positions],
            self.part[positions],
            self.covariances,
        )

    def spread(self, weights: Counts, cohort: Ints) -> Floats:
        """The variance of weighted sums by cohort that the uncertainty of the parameters makes."""
        parts = len(self.covariances)
        size = (cohort.max() + 1) * parts
        sums = [_sums(cohort * parts + self.part, weights * row, size) for row in self.slopes]
        slopes = np.reshape(sums, (len(sums), -1, parts))
        return np.asarray(np.einsum("icp,pij,jcp->c", slopes, self.covariances, slopes))


def total_purchases(
    prospects: Prospects, customers: Counts, cohort: Ints, coverage: float = COVERAGE
) -> Totals:
    """Purchases of each cohort. cohort: numbers 0, 1, .. of the cohorts."""
    variance = _sums(cohort, customers * (prospects.square - prospects.mean**2))
    variance += prospects.spread(customers, cohort)
    return _interval(_sums(cohort, customers * prospects.mean), variance, coverage)


def total_value(
    prospects: Prospects, worth: Worth, cohort: Ints, coverage: float = COVERAGE
) -> Totals:
    """Value of the purchases of each cohort.

    A customer who buys Y times for mean values of M spends sums with the mean square
    E M^2 (E Y^2 + E Y / p), for the values of one customer vary by M^2 / p.
    """
    chance = worth.mean_square * (prospects.square + prospects.mean / worth.p)
    chance -= worth.square_of_mean * prospects.mean**2
    slopes = np.array([_sums(cohort, prospects.mean * slope) for slope in worth.slopes])
    variance = _sums(cohort, chance) + prospects.spread(worth.mean, cohort)
    variance += np.einsum("ic,ij,jc->c", slopes, worth.covariance, slopes)
    return _interval(_sums(cohort, worth.mean * prospects.mean), variance, coverage)


def _expected(x: Ints, t_x: Floats, T: Floats, h: float, model: Purchases) -> Floats:
    return model.expected_purchases(x, t_x, T, h)


def _slopes(fit: Fit[Any], figure: Callable[[Any], Floats], here: Floats) -> Floats:
    """Derivatives of a figure, which is this here, by the log parameters, one row for each."""
    step, derivatives = 1e-6, []
    for name, value in fit.model.parameters.items():
        there = figure(replace(fit.model, **{name: value * np.exp(step)}))
        derivatives.append((there - here) / step)
    return np.array(derivatives)


def _sums(number: Ints, values: Floats, size: int = 0) -> Floats:
    return np.bincount(number, values, size).astype(float)


def _interval(mean: Floats, variance: Floats, coverage: float) -> Totals:
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = variance / mean
        bounds = (
            special.gammaincinv(mean / scale, (1 + sign * coverage) / 2) * scale for sign in (-1, 1)
        )
        return Totals(mean, *(np.where(variance <= 0, mean, bound) for bound in bounds))
