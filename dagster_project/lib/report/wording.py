"""Figures as people read them."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

Number = int | float | Decimal
NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def count(value: Number | None) -> str:
    return NONE if value is None else _signed(f"{value:,.0f}")


def decimal(value: Number | None, places: int = 1) -> str:
    return NONE if value is None else _signed(f"{value:,.{places}f}")


def percent(share: Number | None, places: int = 1) -> str:
    if share is None:
        return NONE
    written = f"{100 * share:,.{places}f}%"
    smallest = 10.0**-places
    return f"<{smallest:g}%" if 0 < 100 * share < smallest / 2 else _signed(written)


def compact(value: Number) -> str:
    """For axes: 40k, 1.2m."""
    size = abs(float(value))
    if size >= 1_000_000:
        return _signed(f"{float(value) / 1_000_000:.1f}".removesuffix(".0") + "m")
    if size >= 1_000:
        return _signed(f"{float(value) / 1_000:.1f}".removesuffix(".0") + "k")
    return _signed(f"{value:g}")


def day(value: date | None) -> str:
    return NONE if value is None else f"{value.day}\N{NO-BREAK SPACE}{value:%B %Y}"


def month(value: date | None) -> str:
    return NONE if value is None else f"{value:%b %Y}"


def text(value: Any) -> str:
    return NONE if value is None else str(value)


def words(name: str) -> str:
    """A value of a column as words: at_risk, at risk."""
    return name.replace("_", " ")


def many(number: int, singular: str, plural: str | None = None) -> str:
    return f"{count(number)} {singular if number == 1 else plural or singular + 's'}"


def listed(items: Sequence[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def change(difference: Number, written: str) -> str:
    """A difference with its sign; `written` is how its size is written."""
    return ("+" if difference >= 0 else MINUS) + written


def _signed(digits: str) -> str:
    return digits.replace("-", MINUS)
