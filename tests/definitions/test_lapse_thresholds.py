"""Lapse thresholds against Kaplan-Meier curves of lifelines, at three month starts of each shop;
their bounds against curves in which each customer in turn weighs a little more."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from tests.definitions.history import history_of, next_month
from tests.shops import rows

HORIZON = 180
BUCKETS = {"1": (1, 1), "2": (2, 2), "3": (3, 3), "4-6": (4, 6), "7+": (7, 10**9)}
MONTHS = {
    "demo": (date(2024, 1, 1), date(2025, 1, 1), date(2025, 12, 1)),
    "cdnow": (date(1998, 1, 1), date(1998, 2, 1), date(1998, 6, 1)),
    "olist": (date(2017, 10, 1), date(2018, 3, 1), date(2018, 9, 1)),
    "online_retail": (date(2011, 11, 1), date(2011, 12, 1), date(2010, 12, 1)),
}
Gap = tuple[int, date, date | None, str]  # purchase number, purchase, next purchase, customer


def gaps_of(warehouse: Path) -> list[Gap]:
    return [
        (number, day, following, name)
        for name, customer in history_of(warehouse).customers.items()
        for number, (day, following) in enumerate(
            zip(customer.days, [*customer.days[1:], None], strict=True), 1
        )
    ]


def followed(gaps: list[Gap], month: date) -> tuple[list[Gap], list[int], list[bool]]:
    """Gaps that opened before a month: their length as known then, and whether they had ended."""
    known = [gap for gap in gaps if gap[1] < month]
    ended = [gap[2] is not None and gap[2] < month for gap in known]
    days = [
        (following - day).days if is_ended and following else (month - day).days - 1
        for (_, day, following, _), is_ended in zip(known, ended, strict=True)
    ]
    return known, days, ended


def survival(days: list[int], ended: list[bool]) -> Any:
    """The share still silent after each day up to H + 90."""
    curve = KaplanMeierFitter().fit(days, ended)
    return np.asarray(curve.survival_function_at_times(range(HORIZON + 91)))


def few_return_from(chance: Any) -> int:
    """The first day on which fewer than half of the silent return within 90 days."""
    return next((day for day in range(HORIZON + 1) if chance[day] < 0.5), HORIZON)


def estimate(gaps: list[Gap], month: date) -> dict[str, Any] | None:
    """What the definition makes of the gaps that opened before a month; None where too little."""
    known, days, ended = followed(gaps, month)
    returns = sum(e and d <= HORIZON for e, d in zip(ended, days, strict=True))
    history = (month - min(gap[1] for gap in known)).days if known else 0
    if returns < 30 or history < 2 * HORIZON:
        return None
    silent = survival(days, ended)
    returned = (1 - silent[: HORIZON + 1]) / (1 - silent[HORIZON])
    chance = 1 - silent[90:] / silent[: HORIZON + 1]
    at_risk = int(np.argmax(returned >= 0.8 - 1e-12))
    inactive = max(int(np.argmax(returned >= 0.95 - 1e-12)), few_return_from(chance))
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


def returned_share(at_risk: Any, returned: Any) -> Any:
    """F(t) / F(H) for each t up to H."""
    share = 1 - np.cumprod(1 - returned / at_risk)
    return share / share[HORIZON]


def bounds(gaps: list[Gap], month: date, quantile: float) -> tuple[int, int]:
    """The days on which the share is 1.96 standard errors off the quantile.

    The error is the root of the summed squares of what each customer moves: the change of the share
    with the customer's weight, by a small difference.
    """
    known, days, ended = followed(gaps, month)
    size = HORIZON + 1
    at_risk: dict[str, Any] = defaultdict(lambda: np.zeros(size))
    returned: dict[str, Any] = defaultdict(lambda: np.zeros(size))
    for (*_, customer), length, is_ended in zip(known, days, ended, strict=True):
        at_risk[customer][: length + 1] += 1
        if is_ended and length < size:
            returned[customer][length] += 1
    all_at_risk, all_returned = sum(at_risk.values()), sum(returned.values())
    share = returned_share(all_at_risk, all_returned)
    day = int(np.argmax(share >= quantile - 1e-12))
    step = 1e-5
    moved = [
        returned_share(all_at_risk + step * at_risk[name], all_returned + step * returned[name])
        for name in at_risk
    ]
    error = np.sqrt(sum(((new[day] - share[day]) / step) ** 2 for new in moved))
    above = share >= quantile + 1.96 * error
    return (
        int(np.argmax(share >= quantile - 1.96 * error)),
        int(np.argmax(above)) if above.any() else HORIZON,
    )


def test_bounds_take_the_purchases_of_one_customer_as_one_observation(demo: Path) -> None:
    month = date(2025, 12, 1)
    gaps = gaps_of(demo)
    wide = 0
    for bucket, source, figures in expected(gaps, month):
        first, last = BUCKETS[bucket] if source == "bucket" else (1, 10**9)
        of_bucket = [gap for gap in gaps if first <= gap[0] <= last]
        silent = survival(*followed(of_bucket, month)[1:])
        few = few_return_from(1 - silent[90:] / silent[: HORIZON + 1])
        at_risk, inactive = bounds(of_bucket, month, 0.8), bounds(of_bucket, month, 0.95)
        got = rows(
            demo,
            f"""
            select at_risk_after_days_lower, at_risk_after_days_upper,
                inactive_after_days_lower, inactive_after_days_upper
            from fct_lapse_thresholds
            where estimation_month = date '{month}' and purchase_bucket = '{bucket}'
            """,
        )
        assert got == [(*at_risk, max(inactive[0], few), max(inactive[1], few))], bucket
        assert at_risk[0] <= figures["at_risk_after_days"] <= at_risk[1]
        wide += at_risk[0] < at_risk[1]
    assert wide


def test_backtests_count_what_became_of_those_who_were_called(demo: Path) -> None:
    limits = {
        (month, bucket): {"at_risk": at_risk, "inactive": inactive}
        for month, bucket, at_risk, inactive in rows(
            demo,
            "select estimation_month, purchase_bucket, at_risk_after_days, inactive_after_days"
            " from fct_lapse_thresholds",
        )
    }
    as_of = history_of(demo).as_of
    counts: Counter[tuple[date, str, str, str]] = Counter()
    for number, day, following, _ in gaps_of(demo):
        bucket = next(name for name, (low, high) in BUCKETS.items() if low <= number <= high)
        for state, after in limits[day.replace(day=1), bucket].items():
            for rule, limit in (("", after), ("fixed_rule_", 90)):
                called = day + timedelta(days=limit + 1)
                if called > as_of or (following and following <= called):
                    continue
                cell = called.replace(day=1), bucket, state
                counts[*cell, f"{rule}called"] += 1
                for window in (90, 180):
                    is_back = following and (following - called).days <= window
                    counts[*cell, f"{rule}returned_{window}_days"] += bool(is_back)
    columns = [
        f"{rule}{figure}"
        for rule in ("", "fixed_rule_")
        for figure in ("called", "returned_90_days", "returned_180_days")
    ]
    got = rows(
        demo,
        f"select call_month, purchase_bucket, state, {', '.join(columns)}"
        " from fct_threshold_backtests",
    )
    assert {row[:3] for row in got} == {key[:3] for key in counts}
    for month, bucket, state, *figures in got:
        month_end = next_month(month) - timedelta(days=1)
        for column, figure in zip(columns, figures, strict=True):
            window = 0 if column.endswith("called") else int(column.split("_")[-2])
            is_over = month_end + timedelta(days=window) <= as_of or not window
            count = counts[month, bucket, state, column]
            assert figure == (count if is_over else None), (month, bucket, state, column)
