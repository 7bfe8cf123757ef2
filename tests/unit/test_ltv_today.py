"""When a fitted model must not predict, at both sides of each bound; the months that are told."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from dagster_project.lib.ltv import today
from dagster_project.lib.ltv.cohorts import Fits
from dagster_project.lib.ltv.fit import NOT_FOUND, Fit
from dagster_project.lib.ltv.inputs import Customers, Limits, Paid
from dagster_project.lib.ltv.past import Past
from dagster_project.lib.ltv.purchases import MBG_CNBD_2, MBG_NBD, Purchases

AS_OF = date(2024, 6, 30)


def fits(has_converged: bool = True) -> Fits:
    model = Purchases(MBG_NBD, 0.5, 6.0, 0.9, 1.6)
    message = "" if has_converged else NOT_FOUND
    return Fits(Fit(model, -1.0, 1, np.zeros((4, 4)), None, has_converged, False, message))


def past(predicted: float, actual: float, pit_share: float = 0.8, name: str = "mbg_nbd") -> Past:
    row = {
        "model_name": name,
        "frequency_bucket": "all",
        "cut_off_date": date(2023, 12, 31),
        "horizon_days": 180,
        "pit_share": pit_share,
        "predicted": predicted,
        "actual": actual,
    }
    return Past([], [row], [])


@pytest.mark.parametrize(
    ("predicted", "actual", "is_refused"),
    [
        (100, 150, False),  # two thirds
        (99.9, 150, True),
        (150, 100, False),  # one and a half
        (150.1, 100, True),
        (0, 29, False),  # too few to say anything
        (0, 30, True),
        (29.9, 0, False),
        (30, 0, True),
        (2, 29, False),
    ],
)
def test_a_total_that_was_far_off(predicted: float, actual: float, is_refused: bool) -> None:
    reason = today._unfit("mbg_nbd", fits(), past(predicted, actual))
    said = (
        f"for the 180 days after 2023-12-31, {predicted:,.0f} purchases were predicted and"
        f" {actual:,.0f} came"
    )
    assert reason == (said if is_refused else None)


@pytest.mark.parametrize(
    ("share", "is_refused"), [(0.7, False), (0.69, True), (0.9, False), (0.91, True)]
)
def test_counts_that_lay_elsewhere_than_was_thought(share: float, is_refused: bool) -> None:
    reason = today._unfit("mbg_nbd", fits(), past(100, 100, share))
    said = (
        f"in the 180 days after 2023-12-31, {share:.0%} of customers bought as often as was thought"
        " likely, where 80 % should have"
    )
    assert reason == (said if is_refused else None)


def test_what_has_no_maximum_or_was_not_graded_does_not_predict() -> None:
    assert today._unfit("mbg_nbd", fits(has_converged=False), None) == NOT_FOUND
    assert today._unfit("mbg_nbd", fits(), None) is None
    ungraded = past(100, 100, name="own_rate")
    reason = f"2023-12-31 is not graded: {NOT_FOUND}"
    assert today._unfit("mbg_nbd", fits(), ungraded) == reason


def customers(x: Any, t_x: Any, T: Any) -> Customers:
    size = len(x)
    nothing = Paid(np.arange(size), np.zeros(size, int), np.zeros(size), np.ones(size, int))
    month = np.full(size, np.datetime64("2023-01-01"))
    channel = np.full(size, "ads", object)
    return Customers(AS_OF, month, channel, x, t_x, T, np.ones(size, int), nothing)


def test_the_default_serves_where_the_chosen_model_has_no_fit() -> None:
    random = np.random.default_rng(1)
    x = random.poisson(3, 200)
    T = np.full(200, 70.0)
    t_x = np.where(x > 0, random.uniform(1, 70, 200), 0.0)
    alike = customers(x, t_x, T)
    assert today._fitted(alike, MBG_CNBD_2.name)[0] == MBG_CNBD_2.name
    t_x[np.flatnonzero(x)[0]] = 0.0  # two purchases on one day
    assert today._fitted(customers(x, t_x, T), MBG_CNBD_2.name)[0] == MBG_NBD.name


def test_the_limits_of_a_shop() -> None:
    few = customers(np.array([0, 1, 2]), np.array([0.0, 5, 6]), np.full(3, 20.0))
    for repeat_customers, days, said in (
        (3, 100, "2 customers have bought again; predictions begin with 3"),
        (2, 101, "the first purchase was 100 days ago; predictions begin at 101"),
    ):
        first = date(2024, 3, 22)
        limits = Limits("test", AS_OF, first, 180, days, repeat_customers, 0.0)
        with pytest.raises(today.NoFit, match=said):
            today._require_enough(limits, few)
    today._require_enough(Limits("test", AS_OF, date(2024, 3, 22), 180, 100, 2, 0.0), few)


@pytest.mark.parametrize(
    ("as_of", "first", "last"),
    [
        (date(2024, 2, 10), date(2024, 2, 29), date(2025, 1, 31)),
        (date(2024, 1, 31), date(2024, 2, 29), date(2025, 1, 31)),
        (date(2023, 12, 31), date(2024, 1, 31), date(2024, 12, 31)),
        (date(2024, 1, 30), date(2024, 1, 31), date(2024, 12, 31)),
    ],
)
def test_the_next_twelve_month_ends(as_of: date, first: date, last: date) -> None:
    ends = today._month_ends(as_of)
    assert (len(ends), ends[0], ends[-1]) == (12, first, last)
    assert all((end + timedelta(days=1)).day == 1 for end in ends)
