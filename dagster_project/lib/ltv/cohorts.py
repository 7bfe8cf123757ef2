"""Fits by cohort: a month of first purchases has its own parameters where enough of its customers
have bought again; the others share those of everybody."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from dagster_project.lib.ltv.arrays import Floats, Ints, Numbers
from dagster_project.lib.ltv.fit import Fit, fit_purchases
from dagster_project.lib.ltv.intervals import Part
from dagster_project.lib.ltv.purchases import Process, Purchases

OWN_FIT_FROM = 300  # repeat customers of a cohort from which on it has a fit of its own
WEEK = 7.0  # the models count in weeks, as the papers do
EPOCH = np.datetime64("1970-01", "M")


@dataclass(frozen=True)
class Candidate:
    """A way to forecast purchases: a process, fitted to everybody or also to each large cohort."""

    process: Process
    by_cohort: bool = False

    @property
    def name(self) -> str:
        return self.process.name + "_by_cohort" * self.by_cohort


@dataclass(frozen=True)
class Fits:
    """What a candidate has learnt. cohorts: fits by month, counted from January 1970."""

    everybody: Fit[Purchases]
    cohorts: dict[int, Fit[Purchases]] = field(default_factory=dict)

    def named(self) -> Iterator[tuple[str, Fit[Purchases]]]:
        """Each fit with its cohort: a month as 2024-01, or all."""
        yield "all", self.everybody
        for month, fit in self.cohorts.items():
            yield str(EPOCH + month), fit

    def parts(self, cohort: Ints) -> Iterator[Part]:
        """The fits, each with the positions of the histories it speaks of, if there are any."""
        own = np.isin(cohort, list(self.cohorts))
        parts = [(self.everybody, np.flatnonzero(~own))]
        parts += [(fit, np.flatnonzero(cohort == month)) for month, fit in self.cohorts.items()]
        return ((fit, chosen) for fit, chosen in parts if chosen.size)


def cohort_of(day: date, age: Numbers) -> Ints:
    """The month, from January 1970, in which customers first bought who are so many weeks old."""
    days = np.round(np.asarray(age) * WEEK).astype("timedelta64[D]")
    return ((np.datetime64(day, "D") - days).astype("datetime64[M]") - EPOCH).astype(np.int64)


def fit_candidate(
    candidate: Candidate,
    cohort: Ints,
    x: Ints,
    t_x: Floats,
    T: Floats,
    customers: Ints,
    everybody: Fit[Purchases] | None = None,
) -> Fits:
    """Raises NoFit as `fit_purchases` does. A cohort's fit without a maximum is left out.

    everybody: the fit of the same process to all, where it is known.
    """
    everybody = everybody or fit_purchases(candidate.process, x, t_x, T, customers)
    if not candidate.by_cohort:
        return Fits(everybody)
    own = {}
    repeats = np.bincount(cohort - cohort.min(), customers * (x > 0))
    for month in np.flatnonzero(repeats >= OWN_FIT_FROM) + cohort.min():
        chosen = cohort == month
        fit = fit_purchases(candidate.process, x[chosen], t_x[chosen], T[chosen], customers[chosen])
        if fit.has_converged:
            own[int(month)] = fit
    return Fits(everybody, own)
