"""Which purchase model serves: the rule of the incumbent and its challengers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dagster_project.lib.ltv.arrays import Floats
from dagster_project.lib.ltv.purchases import MBG_NBD

DEFAULT = MBG_NBD.name
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class CutOff:
    """What models scored at one cut-off.

    log_scores: by model the log-probability of each group's count; a model without a fit is not in
    it. customers: how many there are in each group.
    """

    log_scores: Mapping[str, Floats]
    customers: Floats


@dataclass(frozen=True)
class Gain:
    """Mean difference of two models' log scores over customers, and its standard error."""

    mean: float
    standard_error: float


def paired_gain(challenger: Floats, incumbent: Floats, customers: Floats) -> Gain:
    """What the challenger gains on the incumbent, customer by customer."""
    difference, total = challenger - incumbent, customers.sum()
    mean = difference @ customers / total
    variance = (difference - mean) ** 2 @ customers / total
    return Gain(float(mean), float(np.sqrt(variance / total)))


def incumbents(cut_offs: Sequence[CutOff], default: str = DEFAULT) -> list[str]:
    """The model that serves after each of the cut-offs, which are in the order of time.

    A challenger takes the place if at the latest cut-off its gain exceeds two standard errors, and
    at more than half of those before it gains too; the one that gains most, if several do. So none
    can win at the first. The default stands at the beginning; nothing is known of earlier runs.
    """
    chosen: list[str] = []
    incumbent = default
    for latest, cut_off in enumerate(cut_offs):
        winners: dict[str, float] = {}
        for challenger in cut_off.log_scores:
            gain = _gain(cut_off, challenger, incumbent)
            earlier = [_gain(before, challenger, incumbent) for before in cut_offs[:latest]]
            gained = sum(before is not None and before.mean > 0 for before in earlier)
            if (
                gain is not None
                and gain.mean > STANDARD_ERRORS * gain.standard_error
                and gained > len(earlier) / 2
            ):
                winners[challenger] = gain.mean
        incumbent = max(winners, key=lambda name: winners[name], default=incumbent)
        chosen.append(incumbent)
    return chosen


def _gain(cut_off: CutOff, challenger: str, incumbent: str) -> Gain | None:
    scores = cut_off.log_scores
    if challenger == incumbent or not {challenger, incumbent} <= scores.keys():
        return None
    return paired_gain(scores[challenger], scores[incumbent], cut_off.customers)
