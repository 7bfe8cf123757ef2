"""How good a forecast of purchase counts was, and the naive rivals a model is measured against.

Arrays run over groups of customers alike in history and in what they then bought; `customers` is
how many there are in each. Any part of the groups, a bucket of frequency say, is scored by itself.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from dagster_project.lib.ltv.arrays import Counts, Floats, Ints, Numbers
from dagster_project.lib.ltv.purchases import Purchases

CENTRAL = (0.1, 0.9)  # the part of the distribution in which 8 of 10 counts should lie


@dataclass(frozen=True)
class Forecast:
    """What was said of the purchases in the horizon: their mean, and the probability of as many as
    then were made and of fewer."""

    expected: Floats
    probability: Floats
    below: Floats

    @property
    def log_score(self) -> Floats:
        """Log-probability of what then happened: the higher, the better. It is never -inf."""
        return np.log(np.maximum(self.probability, np.finfo(float).tiny))


@dataclass(frozen=True)
class Scores:
    """Means over customers, of these groups.

    bias: expected less actual purchases. rank_correlation: Spearman's, nan where all are alike.
    central_share: share of the counts between the 10 % and 90 % points of their distributions, .8
    if those are right; as counts leap over such points, it is the mean of the randomised share.
    """

    customers: int
    expected: float
    actual: float
    log_score: float
    bias: float
    mean_absolute_error: float
    rank_correlation: float
    central_share: float


def forecast(model: Purchases, actual: Ints, x: Ints, t_x: Floats, T: Floats, h: float) -> Forecast:
    """What a model says of customers who then bought `actual` times in (T, T + h]."""
    return Forecast(
        model.expected_purchases(x, t_x, T, h),
        model.probability(actual, x, t_x, T, h),
        1 - model.at_least(actual, x, t_x, T, h),
    )


def own_rate(actual: Ints, x: Ints, T: Floats, h: float, customers: Counts) -> Forecast:
    """Everybody goes on as before: x / T purchases per unit of time.

    The distribution is Poisson. Who has not bought again has no rate of his own but 0, under which
    a return would be impossible: his distribution, not his mean, takes the rate of all customers.
    """
    return _at_rate(actual, x, T, h, pooled=(x @ customers) / (T @ customers))


def cohort_average(
    actual: Ints, x: Ints, T: Floats, h: float, customers: Counts, cohort: Ints
) -> Forecast:
    """Everybody buys as his cohort did so far: repeat purchases over time, Poisson; 0 as above.

    cohort: numbers 0, 1, .. of the cohorts.
    """
    repeats = np.bincount(cohort, weights=x * customers)[cohort]
    time = np.bincount(cohort, weights=T * customers)[cohort]
    return _at_rate(actual, repeats, time, h, pooled=(x @ customers) / (T @ customers))


def score(forecast: Forecast, actual: Ints, customers: Counts) -> Scores:
    """The scores of a forecast against what was bought."""
    low, high = CENTRAL
    above = forecast.below + forecast.probability
    overlap = np.minimum(above, high) - np.maximum(forecast.below, low)
    probability = np.maximum(forecast.probability, np.finfo(float).tiny)
    errors = forecast.expected - actual

    def mean(values: Numbers) -> float:
        return float(np.average(values, weights=customers))

    return Scores(
        customers=int(customers.sum()),
        expected=mean(forecast.expected),
        actual=mean(actual),
        log_score=mean(forecast.log_score),
        bias=mean(errors),
        mean_absolute_error=mean(np.abs(errors)),
        rank_correlation=rank_correlation(forecast.expected, actual, customers),
        central_share=mean(np.clip(overlap / probability, 0, 1)),
    )


def rank_correlation(first: Numbers, second: Numbers, customers: Counts) -> float:
    """Spearman's rank correlation over customers, with mean ranks for ties; nan without any
    difference to rank."""
    ranks = np.stack([_midranks(first, customers), _midranks(second, customers)])
    (own, both), (_, other) = np.cov(ranks, aweights=customers, ddof=0)
    return float(both / np.sqrt(own * other)) if own * other > 0 else float("nan")


def _midranks(values: Numbers, customers: Counts) -> Floats:
    _, index = np.unique(values, return_inverse=True)
    sizes = np.bincount(index, weights=customers)
    return (np.cumsum(sizes) - sizes / 2)[index]


def _at_rate(actual: Ints, repeats: Numbers, time: Numbers, h: float, pooled: Numbers) -> Forecast:
    rate = np.divide(repeats, time, out=np.zeros(np.shape(time)), where=np.asarray(time) > 0)
    mean = h * np.where(rate > 0, rate, pooled)
    log_probability = special.xlogy(actual, mean) - mean - special.gammaln(actual + 1)
    below = np.where(actual > 0, special.gammaincc(np.maximum(actual, 1), mean), 0.0)
    return Forecast(h * rate, np.exp(log_probability), below)
