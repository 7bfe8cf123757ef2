"""Dates that runs are for."""

from calendar import monthrange
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dagster_project.lib.errors import InputError

EVERY_DAYS = {"day": 1, "week": 7}


def yesterday(time_zone: str) -> date:
    return datetime.now(ZoneInfo(time_zone)).date() - timedelta(days=1)


def dates_between(first: date, last: date, every: str) -> list[date]:
    """Both included. A month after the 31st is the last day of a shorter one.

    Raises InputError where there is none.
    """
    if last < first:
        raise InputError(f"{last} is before {first}; name the earlier date first")
    if every in EVERY_DAYS:
        return [first + timedelta(n) for n in range(0, (last - first).days + 1, EVERY_DAYS[every])]
    months = (last.year - first.year) * 12 + last.month - first.month
    found = [_months_after(first, number) for number in range(months + 1)]
    return [day for day in found if day <= last]


def _months_after(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
