"""Stage, segment and flags of every customer on a day, straight from the definitions.

Each day is judged for itself, with nothing of a later day in hand.
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise


@dataclass(frozen=True)
class Signal:
    customer: str
    known: date
    is_good: bool


@dataclass
class Lives:
    """What decides the states of a shop's customers.

    purchases: days of each customer's occasions, in order. sales: (order day, sales before refunds)
    of valid orders; refunds: (order day, refund day, amount). seen: first day on which a fact named
    each customer; registered: day of the account, where there is one. thresholds: (at risk,
    inactive) by month and bucket.
    """

    seen: dict[str, date]
    registered: dict[str, date]
    purchases: dict[str, list[date]]
    sales: dict[str, list[tuple[date, Decimal]]]
    refunds: dict[str, list[tuple[date, date, Decimal]]]
    thresholds: dict[tuple[date, str], tuple[int, int]]
    signals: list[Signal] = field(default_factory=list)

    @cached_property
    def signals_of(self) -> dict[str, list[Signal]]:
        found: dict[str, list[Signal]] = defaultdict(list)
        for signal in self.signals:
            found[signal.customer].append(signal)
        return found

    def state(self, customer: str, day: date, heroes: set[str]) -> tuple[str, str] | None:
        """Stage and segment at the end of a day; None where the customer is not known yet."""
        days = self.purchases.get(customer, [])
        days = days[: bisect_right(days, day)]
        if not days:
            if (
                min(self.seen.get(customer, date.max), self.registered.get(customer, date.max))
                > day
            ):
                return None
            is_registered = self.registered.get(customer, date.max) <= day
            segment = "negative_experience" if self._is_unhappy(customer, day) else "prospect"
            return "onboarding" if is_registered else "acquisition", segment
        stage = "loyalty" if len(days) >= 3 else "retention"
        at_risk, inactive = self._limits(len(days), days[-1])
        silent = (day - days[-1]).days
        if self._is_unhappy(customer, day):
            return stage, "negative_experience"
        if silent > inactive:
            return stage, "inactive"
        if silent > at_risk:
            return stage, "at_risk"
        if customer in heroes:
            return stage, "hero"
        if self._was_won_back(days, day):
            return stage, "won_back"
        if (day - days[0]).days <= 30:
            return stage, "new"
        return stage, "active"

    def heroes(self, day: date) -> set[str]:
        """Those ranked at the start of the month in which a day lies."""
        month = day.replace(day=1)
        first = month - timedelta(days=365)
        value: dict[str, Decimal] = {}
        occasions: dict[str, int] = {}
        for customer, days in self.purchases.items():
            count = sum(first <= purchase < month for purchase in days)
            if count:
                occasions[customer] = count
                sold = sum(amount for on, amount in self.sales[customer] if first <= on < month)
                back = sum(
                    amount
                    for on, refunded, amount in self.refunds.get(customer, [])
                    if first <= on < month and refunded < month
                )
                value[customer] = Decimal(sold) - Decimal(back)
        by_value, by_occasions = midrank(value), midrank(occasions)
        score = {customer: by_value[customer] + by_occasions[customer] for customer in value}
        ordered = sorted(score.values(), reverse=True)
        last = {points: position for position, points in enumerate(ordered)}  # of those who tie
        return {
            customer
            for customer, points in score.items()
            if last[points] < 0.05 * len(score) and occasions[customer] >= 2
        }

    def _limits(self, number: int, day: date) -> tuple[int, int]:
        bucket = str(number) if number <= 3 else "4-6" if number <= 6 else "7+"
        return self.thresholds[day.replace(day=1), bucket]

    def _was_won_back(self, days: list[date], day: date) -> bool:
        return any(
            (bought - before).days > self._limits(number, before)[1] + 1
            and (day - bought).days <= 90
            for number, (before, bought) in enumerate(pairwise(days), 1)
        )

    def _is_unhappy(self, customer: str, day: date) -> bool:
        told = [signal for signal in self.signals_of.get(customer, []) if signal.known <= day]
        return any(
            not bad.is_good
            and (day - bad.known).days <= 90
            and not any(good.is_good and good.known > bad.known for good in told)
            for bad in told
        )


def midrank(values: dict[str, Decimal] | dict[str, int]) -> dict[str, int]:
    """Twice the number of those below and once those that tie, for each."""
    ordered = sorted(values.values())
    below = {value: position for position, value in reversed(list(enumerate(ordered)))}
    ties: dict[object, int] = defaultdict(int)
    for value in ordered:
        ties[value] += 1
    return {key: 2 * below[value] + ties[value] for key, value in values.items()}
