"""Which purchase model serves: the rule of the incumbent and its challengers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from dagster_project.lib.ltv.arrays import Counts, Floats
from dagster_project.lib.ltv.purchases import MBG_NBD

DEFAULT = MBG_NBD.name
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Gain:
    """Mean difference of two models' log scores over customers, and its standard error."""

    mean: float
    standard_error: float


Gains = Mapping[tuple[str, str], Gain]
"""At one cut-off, what the first model of a pair gains on the second; a model without a fit is in
none."""


def paired_gain(challenger: Floats, incumbent: Floats, customers: Counts) -> Gain:
    """What the challenger gains on the incumbent, customer by customer."""
    difference, total = challenger - incumbent, customers.sum()
    mean = difference @ customers / total
    variance = (difference - mean) ** 2 @ customers / total
    return Gain(float(mean), float(np.sqrt(variance / total)))


def gains_between(log_scores: Mapping[str, Floats], customers: Counts) -> Gains:
    """Of every pair of models: log-probabilities of each group's count, and its customers."""
    return {
        (first, second): paired_gain(log_scores[first], log_scores[second], customers)
        for first, second in permutations(log_scores, 2)
    }


def incumbents(cut_offs: Sequence[Gains], default: str = DEFAULT) -> list[str]:
    """The model that serves after each of the cut-offs, which are in the order of time.

    A challenger takes the place if at the latest cut-off its gain exceeds two standard errors, and
    at more than half of those before it gains too; the one that gains most, if several do. So none
    can win at the first. The default stands at the beginning, and in the place of an incumbent
    without a fit; nothing is known of earlier runs.
    """
    chosen: list[str] = []
    incumbent = default
    for latest, gains in enumerate(cut_offs):
        if not any(incumbent in pair for pair in gains):
            incumbent = default
        winners = {
            challenger: gain.mean
            for (challenger, other), gain in gains.items()
            if other == incumbent
            and gain.mean > STANDARD_ERRORS * gain.standard_error
            and _has_mostly_gained(cut_offs[:latest], challenger, incumbent)
        }
        incumbent = max(winners, key=lambda name: winners[name], default=incumbent)
        chosen.append(incumbent)
    return chosen


def _has_mostly_gained(cut_offs: Sequence[Gains], challenger: str, incumbent: str) -> bool:
    pair = challenger, incumbent
    gained = sum(pair in gains and gains[pair].mean > 0 for gains in cut_offs)
    return gained > len(cut_offs) / 2
