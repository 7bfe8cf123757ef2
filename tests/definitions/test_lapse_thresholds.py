"""Lapse thresholds against Kaplan-Meier curves of lifelines, at three month starts of each shop."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from tests.definitions.history import history_of
from tests.shops import rows

HORIZON = 180
BUCKETS = {"1": (1, 1), "2": (2, 2), "3": (3, 3), "4-6": (4, 6), "7+": (7, 10**9)}
MONTHS = {
    "demo": (date(2024, 1, 1), date(2025, 1, 1), date(2025, 12, 1)),
    "cdnow": (date(1998, 1, 1), date(1998, 2, 1), date(1998, 6, 1)),
    "olist": (date(2017, 10, 1), date(2018, 3, 1), date(2018, 9, 1)),
    "online_retail": (date(2011, 11, 1), date(2011, 12, 1), date(2010, 12, 1)),
}
Gap = tuple[int, date, date | None]  # purchase number, purchase, next purchase


def gaps_of(warehouse: Path) -> list[Gap]:
    return [
        (number, day, following)
        for customer in history_of(warehouse).customers.values()
        for number, (day, following) in enumerate(
            zip(customer.days, [*customer.days[1:], None], strict=True), 1
        )
    ]


def estimate(gaps: list[Gap], month: date) -> dict[str, Any] | None:
    """What the definition makes of the gaps that opened before a month; None where too little."""
    known = [gap for gap in gaps if gap[1] < month]
    ended = [gap[2] is not None and gap[2] < month for gap in known]
    days = [
        (following - day).days if is_ended and following else (month - day).days - 1
        for (_, day, following), is_ended in zip(known, ended, strict=True)
    ]
    returns = sum(e and d <= HORIZON for e, d in zip(ended, days, strict=True))
    history = (month - min(gap[1] for gap in known)).days if known else 0
    if returns < 30 or history < 2 * HORIZON:
        return None
    curve = KaplanMeierFitter().fit(days, ended)
    silent = np.asarray(curve.survival_function_at_times(range(HORIZON + 91)))
    returned = (1 - silent[: HORIZON + 1]) / (1 - silent[HORIZON])
    chance = 1 - silent[90:] / silent[: HORIZON + 1]
    few = next((day for day in range(HORIZON + 1) if chance[day] < 0.5), HORIZON)
    at_risk = int(np.argmax(returned >= 0.8 - 1e-12))
    inactive = max(int(np.argmax(returned >= 0.95 - 1e-12)), few)
    return {
        "purchases": len(known),
        "returns": returns,
        "at_risk_after_days": at_risk,
        "inactive_after_days": inactive,
        "return_share_180_days": 1 - silent[HORIZON],
        "return_chance_90_days": chance[inactive],
    }


def expected(gaps: list[Gap], month: date) -> Iterator[tuple[str, str, dict[str, Any]]]:
    pooled = estimate(gaps, month)
    for bucket, (first, last) in BUCKETS.items():
        own = estimate([gap for gap in gaps if first <= gap[0] <= last], month)
        if own or pooled:
            yield bucket, "bucket" if own else "pooled", own or pooled or {}
        else:
            yield bucket, "setting", {"at_risk_after_days": 60, "inactive_after_days": 180}


@pytest.mark.parametrize("shop", MONTHS)
def test_thresholds_are_quantiles_of_the_kaplan_meier_curve(
    shop: str, request: pytest.FixtureRequest
) -> None:
    warehouse: Path = request.getfixturevalue(shop)
    gaps = gaps_of(warehouse)
    seen = set()
    for month in MONTHS[shop]:
        for bucket, source, figures in expected(gaps, month):
            columns = list(figures)
            ((got_source, *got),) = rows(
                warehouse,
                f"""
                select threshold_source, {", ".join(columns)} from fct_lapse_thresholds
                where estimation_month = date '{month}' and purchase_bucket = '{bucket}'
                """,
            )
            assert (month, bucket, got_source) == (month, bucket, source)
            assert got == pytest.approx(list(figures.values()), abs=1e-9)
            seen.add(source)
    assert seen & {"bucket", "pooled"}
