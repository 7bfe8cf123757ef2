"""What a shop sold, and every lifecycle figure of it by plain loops over days and customers.

A second way to the figures, for comparison: nothing here knows how the warehouse computes them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tests.shops import rows

Figures = dict[tuple[Any, ...], tuple[Any, ...]]
NOTHING = Decimal(0)
WINDOWS = (30, 60, 90, 180, 365)


@dataclass(frozen=True)
class Sale:
    """A valid order; what it is worth after its refunds."""

    order_id: str
    customer: str | None
    day: date
    moment: datetime
    net_sales: Decimal
    margin: Decimal


@dataclass(frozen=True)
class Credit:
    """A refund that belongs to no order."""

    customer: str | None
    day: date
    amount: Decimal


@dataclass(frozen=True)
class Customer:
    """A buyer: the days of the purchases, in order, and what was sold on each of them."""

    channel: str
    days: list[date]
    sold: dict[date, Decimal]
    margin: dict[date, Decimal]
    orders: dict[date, int]

    @property
    def cohort(self) -> date:
        return self.days[0].replace(day=1)


@dataclass
class History:
    first_day: date
    as_of: date
    sales: list[Sale]
    credits: list[Credit] = field(default_factory=list)
    channels: dict[str, str] = field(default_factory=dict)

    @cached_property
    def customers(self) -> dict[str, Customer]:
        found: dict[str, Customer] = {}
        for sale in sorted(self.sales, key=lambda sale: sale.day):
            if sale.customer is None:
                continue
            customer = found.setdefault(
                sale.customer,
                Customer(self.channels.get(sale.customer, "unknown"), [], {}, {}, {}),
            )
            if sale.day not in customer.sold:
                customer.days.append(sale.day)
            customer.sold[sale.day] = customer.sold.get(sale.day, NOTHING) + sale.net_sales
            customer.margin[sale.day] = customer.margin.get(sale.day, NOTHING) + sale.margin
            customer.orders[sale.day] = customer.orders.get(sale.day, 0) + 1
        return found

    @cached_property
    def months(self) -> list[date]:
        return list(dict.fromkeys(day.replace(day=1) for day in self.days()))

    def days(self) -> Iterator[date]:
        for number in range((self.as_of - self.first_day).days + 1):
            yield self.first_day + timedelta(days=number)

    def has_ended(self, month: date) -> bool:
        return next_month(month) <= self.as_of + timedelta(days=1)


def history_of(warehouse: Path) -> History:
    """The history as fct_orders and fct_refunds tell it."""
    orders = rows(
        warehouse,
        """
        select order_id, customer_id, order_date, ordered_at, net_sales, contribution_margin,
            is_valid, acquisition_channel
        from fct_orders order by ordered_at, order_id
        """,
    )
    credits = rows(
        warehouse,
        """
        select customer_id, refund_date, amount
        from fct_refunds where match_rule = 'none' and is_counted
        """,
    )
    days = [order[2] for order in orders]
    sales = [Sale(*order[:6]) for order in orders if order[6]]
    return History(min(days), max(days), sales, [Credit(*credit) for credit in credits])


def next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def months_since(cohort: date, month: date) -> int:
    return (month.year - cohort.year) * 12 + month.month - cohort.month


def share(part: Any, whole: Any) -> float | None:
    return float(part) / float(whole) if whole else None


def growth_accounting(history: History) -> Figures:
    """(period type, start) -> new, returning, resurrected, dormant, complete"""
    figures: Figures = {}
    for period_type in ("week", "month"):

        def start_of(day: date, period_type: str = period_type) -> date:
            if period_type == "month":
                return day.replace(day=1)
            return day - timedelta(days=day.weekday())

        active: dict[date, set[str]] = defaultdict(set)
        new: dict[date, set[str]] = defaultdict(set)
        for name, customer in history.customers.items():
            new[start_of(customer.days[0])].add(name)
            for day in customer.days:
                active[start_of(day)].add(name)
        before: set[str] = set()
        for start in dict.fromkeys(map(start_of, history.days())):
            now = active[start]
            end = (next_month(start) if period_type == "month" else start + timedelta(days=7)) - (
                timedelta(days=1)
            )
            figures[period_type, start] = (
                len(new[start]),
                len(now & before),
                len(now - before - new[start]),
                len(before - now),
                end <= history.as_of,
            )
            before = now
    return figures


def purchase_gaps(history: History, follow_up_days: int = 180) -> Figures:
    """(purchase number) -> gaps, mean, percentiles 50, 80, 90, 95"""
    gaps: dict[int, list[int]] = defaultdict(list)
    for customer in history.customers.values():
        for number, (day, later) in enumerate(
            zip(customer.days, customer.days[1:], strict=False), start=1
        ):
            if day + timedelta(days=follow_up_days) <= history.as_of:
                gaps[number].append((later - day).days)
    return {
        (number,): (len(days), float(np.mean(days)), *map(float, np.percentile(days, PERCENTILES)))
        for number, days in gaps.items()
    }


PERCENTILES = (50, 80, 90, 95)


def retention_cohorts(history: History) -> Figures:
    """(cohort month, month since) -> customers, active in month, retention in month, active from
    month on, retention from month on, orders, net sales, complete"""
    cohorts: dict[date, list[Customer]] = defaultdict(list)
    for customer in history.customers.values():
        cohorts[customer.cohort].append(customer)
    sales = _monthly(history, key=lambda customer: customer.cohort)
    figures: Figures = {}
    for cohort, customers in cohorts.items():
        active: dict[int, int] = defaultdict(int)
        orders: dict[int, int] = defaultdict(int)
        last: dict[int, int] = defaultdict(int)
        for customer in customers:
            numbers = {months_since(cohort, day) for day in customer.days}
            last[max(numbers)] += 1
            for number in numbers:
                active[number] += 1
            for day, count in customer.orders.items():
                orders[months_since(cohort, day)] += count
        for month in (month for month in history.months if month >= cohort):
            since = months_since(cohort, month)
            complete = history.has_ended(month)
            still = sum(count for number, count in last.items() if number >= since)
            figures[cohort, since] = (
                len(customers),
                active[since],
                share(active[since], len(customers)) if complete else None,
                still,
                share(still, len(customers)),
                orders[since],
                sales[cohort, month][0],
                share(orders[since], orders[0]) if complete else None,
                share(sales[cohort, month][0], max(sales[cohort, cohort][0], NOTHING))
                if complete
                else None,
                complete,
            )
    return figures


def ltv_cohorts(history: History) -> Figures:
    """(cohort month, channel, month since) -> customers, net sales, margin, cumulative net sales
    and margin per customer, complete"""
    sizes: dict[tuple[date, str], int] = defaultdict(int)
    for customer in history.customers.values():
        sizes[customer.cohort, customer.channel] += 1
    sales = _monthly(history, key=lambda customer: (customer.cohort, customer.channel))
    figures: Figures = {}
    for (cohort, channel), size in sizes.items():
        total = [NOTHING, NOTHING]
        for month in (month for month in history.months if month >= cohort):
            net_sales, margin = sales[(cohort, channel), month]
            total = [total[0] + net_sales, total[1] + margin]
            figures[cohort, channel, months_since(cohort, month)] = (
                size,
                net_sales,
                margin,
                share(total[0], size),
                share(total[1], size),
                history.has_ended(month),
            )
    return figures


def _monthly(history: History, key: Any) -> dict[tuple[Any, date], tuple[Decimal, Decimal]]:
    """Net sales and margin per key of the buyer and month; a credit before the buyer's first
    purchase counts in the month of that."""
    sums: dict[tuple[Any, date], tuple[Decimal, Decimal]] = defaultdict(lambda: (NOTHING, NOTHING))

    def add(customer: Customer, day: date, net_sales: Decimal, margin: Decimal) -> None:
        cell = key(customer), max(day.replace(day=1), customer.cohort)
        sums[cell] = (sums[cell][0] + net_sales, sums[cell][1] + margin)

    for customer in history.customers.values():
        for day in customer.days:
            add(customer, day, customer.sold[day], customer.margin[day])
    for credit in history.credits:
        if credit.customer in history.customers:
            add(history.customers[credit.customer], credit.day, -credit.amount, -credit.amount)
    return sums


def ltv_windows(history: History) -> Figures:
    """(cohort month, channel, window) -> customers, mature customers, net sales, margin, both per
    mature customer"""
    counts: dict[Any, list[Any]] = defaultdict(lambda: [0, 0, NOTHING, NOTHING])
    for customer in history.customers.values():
        for window in (0, *WINDOWS):
            cell = counts[customer.cohort, customer.channel, window]
            last_day = customer.days[0] + timedelta(days=window)
            cell[0] += 1
            if last_day <= history.as_of:
                cell[1] += 1
                cell[2] += sum(customer.sold[day] for day in customer.days if day <= last_day)
                cell[3] += sum(customer.margin[day] for day in customer.days if day <= last_day)
    return {
        key: (*cell, share(cell[2], cell[1]), share(cell[3], cell[1]))
        for key, cell in counts.items()
    }


def repeat_revenue_monthly(history: History) -> Figures:
    """(month) -> net sales, of those repeat, of those nobody's, repeat share, customers, returning
    ones, their share, complete"""
    earlier_orders: dict[str, int] = defaultdict(int)
    sums: dict[date, list[Decimal]] = defaultdict(lambda: [NOTHING, NOTHING, NOTHING])
    buyers: dict[date, set[str]] = defaultdict(set)
    returning: dict[date, set[str]] = defaultdict(set)
    for sale in sorted(history.sales, key=lambda sale: (sale.moment, sale.order_id)):
        month = sale.day.replace(day=1)
        sums[month][0] += sale.net_sales
        if sale.customer is None:
            sums[month][2] += sale.net_sales
            continue
        buyers[month].add(sale.customer)
        if sale.day > history.customers[sale.customer].days[0]:
            sums[month][1] += sale.net_sales
        if earlier_orders[sale.customer]:
            returning[month].add(sale.customer)
        earlier_orders[sale.customer] += 1
    for credit in history.credits:
        month = credit.day.replace(day=1)
        sums[month][0] -= credit.amount
        if credit.customer is None:
            sums[month][2] -= credit.amount
    return {
        (month,): (
            *sums[month],
            share(sums[month][1], max(sums[month][0], NOTHING)),
            len(buyers[month]),
            len(returning[month]),
            share(len(returning[month]), len(buyers[month])),
            history.has_ended(month),
        )
        for month in history.months
    }


def mart(warehouse: Path, table: str, key: str, figures: str) -> Figures:
    """Columns of a mart, by its key."""
    keys = len(key.split(","))
    found = rows(warehouse, f"select {key}, {figures} from {table}")
    result = {row[:keys]: row[keys:] for row in found}
    assert len(result) == len(found), f"{table}: {key} is not its grain"
    return result


def differences(got: Figures, expected: Figures) -> dict[Any, Any]:
    """Where two tables differ: money and counts exactly, floating point to 12 digits, money per
    head, which the warehouse rounds, to its half thousandth."""
    return {
        key: (got.get(key), expected.get(key))
        for key in got.keys() | expected.keys()
        if not _equal(got.get(key), expected.get(key))
    }


def _equal(got: Iterable[Any] | None, expected: Iterable[Any] | None) -> bool:
    if got is None or expected is None:
        return False
    for one, other in zip(got, expected, strict=True):
        if isinstance(other, float) and one is not None:
            bound = 0.0005000001 if isinstance(one, Decimal) else 1e-12 * max(1, abs(other))
            if abs(float(one) - other) > bound:
                return False
        elif one != other:
            return False
    return True
