"""Forecasts from a past cut-off against what was bought after it."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from dagster_project.lib.ltv.arrays import Floats, Ints
from dagster_project.lib.ltv.choice import Gains, gains_between
from dagster_project.lib.ltv.cohorts import Candidate, Fits, cohort_of, fit_candidate
from dagster_project.lib.ltv.fit import NoFit
from dagster_project.lib.ltv.scores import (
    Forecast,
    Scores,
    cohort_average,
    forecast,
    own_rate,
    score,
)

LAST_BUCKET = 7  # repeat purchases; more are scored with it


@dataclass(frozen=True)
class Histories:
    """Customers known at a cut-off, alike in x, t_x, T (in weeks) and in what they then bought."""

    cut_off: date
    weeks: float  # of the horizon
    x: Ints
    t_x: Floats
    T: Floats
    actual: Ints
    customers: Ints

    @property
    def repeat_customers(self) -> int:
        return int(self.customers[self.x > 0].sum())

    @cached_property
    def cohort(self) -> Ints:
        return cohort_of(self.cut_off, self.T)


@dataclass(frozen=True)
class Graded:
    """Fits and scores at one cut-off.

    scores: of each model and naive rival, by bucket of frequency and of all customers.
    """

    fits: dict[str, Fits]
    scores: dict[tuple[str, str], Scores]
    gains: Gains


def grade(histories: Histories, candidates: Iterable[Candidate]) -> Graded:
    """Fits each candidate to the histories; scores those that converge.

    Fits by cohort are no candidate where no cohort has one of its own.
    """
    h, fits = histories, dict[str, Fits]()
    for candidate in candidates:
        known = fits.get(candidate.process.name)
        with suppress(NoFit):  # two purchases on one day are not those of a regular buyer
            fitted = fit_candidate(
                *(candidate, h.cohort, h.x, h.t_x, h.T, h.customers),
                everybody=known.everybody if known else None,
            )
            if fitted.cohorts or not candidate.by_cohort:
                fits[candidate.name] = fitted
    said = {name: _forecast(one, h) for name, one in fits.items() if one.everybody.has_converged}
    log_scores = {name: one.log_score for name, one in said.items()}
    said["own_rate"] = own_rate(h.actual, h.x, h.T, h.weeks, h.customers)
    cohort = h.cohort - h.cohort.min()
    said["cohort_average"] = cohort_average(h.actual, h.x, h.T, h.weeks, h.customers, cohort)
    return Graded(
        fits,
        {
            (name, bucket): score(_part(one, chosen), h.actual[chosen], h.customers[chosen])
            for name, one in said.items()
            for bucket, chosen in _buckets(h.x)
        },
        gains_between(log_scores, h.customers),
    )


def _forecast(fits: Fits, h: Histories) -> Forecast:
    """Each part of the customers by its own fit."""
    said = Forecast(*np.empty((3, h.x.size)))
    for fit, chosen in fits.parts(h.cohort):
        history = h.x[chosen], h.t_x[chosen], h.T[chosen], h.weeks
        one = forecast(fit.model, h.actual[chosen], *history)
        said.expected[chosen] = one.expected
        said.probability[chosen] = one.probability
        said.below[chosen] = one.below
    return said


def _part(said: Forecast, chosen: Ints) -> Forecast:
    return Forecast(said.expected[chosen], said.probability[chosen], said.below[chosen])


def _buckets(x: Ints) -> Iterator[tuple[str, Ints]]:
    yield "all", np.arange(x.size)
    bucket = np.minimum(x, LAST_BUCKET)
    for number in np.unique(bucket):
        name = f"{number}+" if number == LAST_BUCKET else str(number)
        yield name, np.flatnonzero(bucket == number)
