from datetime import date, timedelta

import pytest

from dagster_project.lib.dates import dates_between
from dagster_project.lib.errors import InputError


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


def test_months_after_their_last_day_are_ends_of_months() -> None:
    first, last = days("2023-10-31", "2024-03-31")
    assert dates_between(first, last, "month") == days(
        "2023-10-31", "2023-11-30", "2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31"
    )


def test_the_last_date_ends_it_within_a_month() -> None:
    first, last = days("2025-01-15", "2025-03-14")
    assert dates_between(first, last, "month") == days("2025-01-15", "2025-02-15")


def test_weeks_and_days() -> None:
    first, last = days("2024-12-30", "2025-01-13")
    assert dates_between(first, last, "week") == days("2024-12-30", "2025-01-06", "2025-01-13")
    assert dates_between(first, last, "day") == [first + timedelta(n) for n in range(15)]
    assert dates_between(first, first, "month") == [first]


def test_a_range_that_ends_before_it_begins() -> None:
    with pytest.raises(InputError, match="is before"):
        dates_between(*days("2025-02-01", "2025-01-31"), "day")
