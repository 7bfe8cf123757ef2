"""What became of past cut-offs, as rows of raw/ltv.

It is kept beside a fingerprint of the histories and rules, and computed anew where that differs.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dagster_project.lib.ltv import tables
from dagster_project.lib.ltv.choice import Gain, Gains
from dagster_project.lib.ltv.cohorts import WEEK, Candidate, Fits
from dagster_project.lib.ltv.fit import Fit
from dagster_project.lib.ltv.grade import Histories, grade
from dagster_project.lib.ltv.purchases import MBG_NBD, PROCESSES
from dagster_project.lib.settings import Settings

CANDIDATES = {
    candidate.name: candidate
    for candidate in [*map(Candidate, PROCESSES), Candidate(MBG_NBD, by_cohort=True)]
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Past:
    """Rows of one cut-off."""

    models: list[Row]
    backtests: list[Row]
    gains: list[Row]

    def by_pair(self) -> Gains:
        return {
            (row["challenger"], row["incumbent"]): Gain(row["gain"], row["standard_error"])
            for row in self.gains
        }

    def backtest_of(self, name: str) -> Row | None:
        """What was said of all customers."""
        wanted = name, "all"
        rows = (r for r in self.backtests if (r["model_name"], r["frequency_bucket"]) == wanted)
        return next(rows, None)


@cache
def _rules() -> bytes:
    """What changes whenever a past cut-off might be graded otherwise: the code of this package."""
    return b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))


def fingerprint(histories: Histories) -> str:
    digest = hashlib.sha256(_rules() + f"{histories.cut_off} {histories.weeks}".encode())
    for column in (histories.x, histories.t_x, histories.T, histories.actual, histories.customers):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def kept(settings: Settings) -> dict[str, Past]:
    """What earlier runs graded, by the fingerprint of the histories, as far as it is whole."""
    found: dict[str, Past] = defaultdict(lambda: Past([], [], []))
    for name in ("models", "backtests", "gains"):
        for row in tables.read(settings, name):
            if row["fingerprint"]:
                getattr(found[row["fingerprint"]], name).append(row)
    return {key: past for key, past in found.items() if past.models and past.backtests}


def graded(histories: Histories) -> Past:
    """Every candidate, fitted and scored at the cut-off."""
    found = grade(histories, CANDIDATES.values())
    where = {"cut_off_date": histories.cut_off, "fingerprint": fingerprint(histories)}
    return Past(
        [{**row, **where} for name, fits in found.fits.items() for row in described(name, fits)],
        [
            {
                "model_name": name,
                "frequency_bucket": bucket,
                "horizon_days": round(histories.weeks * WEEK),
                "customers": scores.customers,
                "predicted": scores.expected * scores.customers,
                "actual": scores.actual * scores.customers,
                "log_score": scores.log_score,
                "bias": scores.bias,
                "mean_absolute_error": scores.mean_absolute_error,
                "rank_correlation": scores.rank_correlation,
                "pit_share": scores.central_share,
                **where,
            }
            for (name, bucket), scores in found.scores.items()
        ],
        [
            {"challenger": first, "incumbent": second, "gain": gain.mean, **where}
            | {"standard_error": gain.standard_error}
            for (first, second), gain in found.gains.items()
        ],
    )


def described(name: str, fits: Fits) -> Iterator[Row]:
    """Rows of `models`."""
    for cohort, fit in fits.named():
        yield described_fit(name, fit) | {"cohort": cohort}


def described_fit(name: str, fit: Fit[Any]) -> Row:
    errors = fit.standard_errors
    return dict.fromkeys(tables.LTV_COLUMNS["models"]) | {
        "model_name": name,
        "cohort": "all",
        "parameters": json.dumps(fit.model.parameters),
        "standard_errors": json.dumps(errors) if errors else None,
        "log_likelihood": fit.log_likelihood,
        "customers": fit.customers,
        "note": fit.message or None,
        "has_converged": fit.has_converged,
        "is_boundary": fit.is_boundary,
        "is_chosen": False,
    }
