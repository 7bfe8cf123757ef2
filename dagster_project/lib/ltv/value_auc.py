"""Whether who speaks for the shop is worth more: lovers against lurkers, month by month."""

from typing import Any
from zlib import crc32

import numpy as np

from dagster_project.lib.engine import Engine
from dagster_project.lib.ltv.arrays import Floats, Ints
from dagster_project.lib.ltv.inputs import open_build
from dagster_project.lib.settings import Settings

DRAWS = 1000  # leaves 25 beyond either bound
PART = 100  # drawn at once, so that memory does not grow with the draws
LEAST = 10  # lovers, and lurkers, of strata that have both: fewer tell nothing, as in rates


def read_value_counts(settings: Settings, engine: Engine = Engine.duckdb) -> dict[str, Any]:
    """Lovers and lurkers of each month, in the order of what they brought within cohort years."""
    with open_build(settings, engine) as connection:
        return connection.execute(
            """
            select month, cohort_year, lovers, lurkers
            from intermediate.int_advocacy__value_counts
            order by month, cohort_year, place
            """
        ).fetchnumpy()


def value_aucs(counts: dict[str, Any]) -> dict[str, list[Any]]:
    """The columns of raw/ltv/value_auc: per month the AUC and its bounds, nan where too few can be
    compared. The seed is the month, so that a rerun gives the same bounds."""
    months = counts["month"].astype("datetime64[D]")
    rows = []
    for month in np.unique(months).astype(object):
        chosen = months == np.datetime64(month)
        stratum, lovers, lurkers = (
            counts[name][chosen].astype(np.int64) for name in ("cohort_year", "lovers", "lurkers")
        )
        random = np.random.default_rng([crc32(b"value_auc"), month.year, month.month])
        rows.append((month, *bounded_auc(random, stratum, lovers, lurkers)))
    names = ("month", "value_auc", "value_auc_lower", "value_auc_upper")
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def bounded_auc(
    random: np.random.Generator, stratum: Ints, lovers: Ints, lurkers: Ints
) -> tuple[float, float, float]:
    """The AUC and its 95 % bootstrap bounds by percentiles.

    The arguments are of equal length, sorted by stratum and value; each element holds how many
    lovers and lurkers have that value. Every customer is drawn a Poisson number of times with mean
    1, so that those of one value are drawn as often as one Poisson number of their count says.
    """
    _, first, size = np.unique(stratum, return_index=True, return_counts=True)
    both = np.minimum(np.add.reduceat(lovers, first), np.add.reduceat(lurkers, first)) > 0
    compared = np.repeat(both, size)
    if min(lovers[compared].sum(), lurkers[compared].sum()) < LEAST:
        return (np.nan,) * 3
    draws = [
        auc(first, random.poisson(lovers, shape), random.poisson(lurkers, shape))
        for shape in [(PART, len(lovers))] * (DRAWS // PART)
    ]
    lower, upper = np.nanquantile(np.concatenate(draws), [0.025, 0.975])
    return float(auc(first, lovers[None], lurkers[None])[0]), float(lower), float(upper)


def auc(first: Ints, lovers: Ints, lurkers: Ints) -> Floats:
    """Share of the pairs of a lover and a lurker of one stratum in which the lover has brought
    more, ties one half; nan where there is no pair.

    lovers, lurkers: (draws, values), the values of each stratum in order from `first` on.
    """
    below = np.cumsum(lurkers, axis=1) - lurkers / 2
    lovers_of = np.add.reduceat(lovers, first, axis=1)
    lurkers_of = np.add.reduceat(lurkers, first, axis=1)
    before = np.cumsum(lurkers_of, axis=1) - lurkers_of  # of the strata before, counted in `below`
    won = np.add.reduceat(lovers * below, first, axis=1) - lovers_of * before
    with np.errstate(invalid="ignore"):
        return np.asarray(won.sum(axis=1) / (lovers_of * lurkers_of).sum(axis=1))
