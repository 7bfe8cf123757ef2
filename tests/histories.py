"""Purchase histories for the models of lifetime value, by plain Python: of the public data sets,
read without the warehouse, and simulated from the story of the models, without their formulas."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagster_project.lib.ltv.purchases import Purchases
from dagster_project.lib.ltv.spend import Spend

Array = NDArray[Any]
Days = dict[str, dict[date, float]]  # by customer the days with a purchase, and its value


@dataclass(frozen=True)
class Histories:
    """Per customer: x, t_x, T at the cut-off, the mean m of x_m positive repeat values, and the
    number and value of the purchases in the holdout."""

    x: Array
    t_x: Array
    T: Array
    x_m: Array
    m: Array
    holdout: Array
    holdout_value: Array

    @property
    def customers(self) -> Array:
        return np.ones(self.x.size)

    def grouped(self, *more: Array) -> tuple[Array, ...]:
        """x, t_x, T and more, each distinct combination once, and its number of customers."""
        columns, customers = np.unique(
            np.stack([self.x, self.t_x, self.T, *more]), axis=1, return_counts=True
        )
        return columns[0].astype(int), *columns[1:], customers


def histories(days: Days, cut_off: date, until: date, unit: float = 1) -> Histories:
    """Of everybody who bought by the cut-off; times in units of so many days."""
    rows = []
    for values in days.values():
        first = min(values)
        if first > cut_off:
            continue
        repeats = {day: value for day, value in values.items() if first < day <= cut_off}
        positive = [value for value in repeats.values() if value > 0]
        later = [value for day, value in values.items() if cut_off < day <= until]
        rows.append(
            (
                len(repeats),
                (max(repeats, default=first) - first).days / unit,
                (cut_off - first).days / unit,
                len(positive),
                sum(positive) / max(len(positive), 1),
                len(later),
                sum(later),
            )
        )
    x, t_x, T, x_m, m, holdout, value = map(np.array, zip(*rows, strict=True))
    return Histories(x, t_x, T, x_m, m, holdout, value)


def cdnow(folder: Path) -> Days:
    """The sample, customers in the order of their numbers, nobody left out."""
    days: Days = defaultdict(lambda: defaultdict(float))
    for line in (folder / "cdnow" / "CDNOW_sample.txt").read_text().splitlines():
        _, customer, day, _, value = line.split()
        days[customer][datetime.strptime(day, "%Y%m%d").date()] += float(value)
    return dict(sorted(days.items()))


def olist(folder: Path) -> Days:
    """Orders neither cancelled nor unavailable by person and day, at the price of their items."""
    values: dict[str, float] = defaultdict(float)
    for row in _rows(folder / "olist" / "olist_order_items_dataset.csv"):
        values[row["order_id"]] += float(row["price"])
    people = {
        row["customer_id"]: row["customer_unique_id"]
        for row in _rows(folder / "olist" / "olist_customers_dataset.csv")
    }
    days: Days = defaultdict(lambda: defaultdict(float))
    for row in _rows(folder / "olist" / "olist_orders_dataset.csv"):
        value = values[row["order_id"]]
        if value > 0 and row["order_status"] not in ("canceled", "unavailable"):
            day = date.fromisoformat(row["order_purchase_timestamp"][:10])
            days[people[row["customer_id"]]][day] += value
    return days


def online_retail(folder: Path) -> Days:
    """Lines of known customers on no cancelling invoice, quantity and price above 0, by day."""
    days: Days = defaultdict(lambda: defaultdict(float))
    for row in _rows(folder / "online_retail" / "Online_Retail.csv", encoding="latin-1"):
        value = float(row["Quantity"]) * float(row["UnitPrice"])
        is_sale = float(row["Quantity"]) > 0 and float(row["UnitPrice"]) > 0
        if row["CustomerID"] and is_sale and not row["InvoiceNo"].startswith("C"):
            days[row["CustomerID"]][date.fromisoformat(row["InvoiceDate"][:10])] += value
    return days


def _rows(path: Path, encoding: str = "utf-8-sig") -> Iterator[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as lines:
        yield from csv.DictReader(lines)


@dataclass(frozen=True)
class Lives:
    """Who first bought `age` days before the cut-off, and each repeat purchase: by whom, how many
    days after the first, at which value."""

    age: Array
    who: Array
    when: Array
    value: Array
    first_value: Array

    def in_whole_days(self) -> Histories:
        """As a warehouse knows them, at the end of a day: purchases of one day are one, and those
        on the day of the first are part of it."""
        T = np.floor(self.age)
        day = T[self.who] - np.floor(self.age[self.who] - self.when)
        keys, index = np.unique(self.who + 1j * day, return_inverse=True)
        values, is_repeat = np.bincount(index, self.value), keys.imag > 0
        who, day = keys.real[is_repeat].astype(int), keys.imag[is_repeat]
        return _at_cut_off(T, who, day, values[is_repeat])


def lives(
    model: Purchases,
    customers: int,
    seed: int,
    days: float = 365,
    horizon: float = 180,
    spend: Spend | None = None,
) -> Lives:
    """Customers who come evenly over so many days, and what they do until the end of a horizon.

    Everybody draws his rate, his inclination to leave and his level of spending, and then lives.
    """
    random = np.random.default_rng(seed)
    age = random.uniform(0, days, customers)
    rate = random.gamma(model.r, 1 / model.alpha, customers)
    leaving = random.beta(model.a, model.b, customers) if model.a else np.zeros(customers)
    now, here = np.zeros(customers), np.arange(customers)
    if model.process.leaves_at_once:
        here = here[random.random(customers) > leaving]
    events: list[tuple[Array, Array]] = []
    while here.size:
        now[here] += random.gamma(model.process.stages, 1 / rate[here])
        here = here[now[here] < age[here] + horizon]
        events.append((here, now[here]))
        here = here[random.random(here.size) > leaving[here]]
    who, when = map(np.concatenate, zip(*events, strict=True))
    value, first_value = np.ones(who.size), np.ones(customers)
    if spend:
        scale = 1 / random.gamma(spend.q, 1 / spend.gamma, customers)
        value, first_value = (random.gamma(spend.p, each) for each in (scale[who], scale))
    return Lives(age, who, when, value, first_value)


def simulated(
    model: Purchases,
    customers: int,
    seed: int,
    days: float = 365,
    horizon: float = 180,
    spend: Spend | None = None,
) -> Histories:
    """Histories of such customers to the instant."""
    shop = lives(model, customers, seed, days, horizon, spend)
    return _at_cut_off(shop.age, shop.who, shop.when, shop.value)


def _at_cut_off(T: Array, who: Array, when: Array, value: Array) -> Histories:
    """when: times of repeat purchases after the first one."""
    customers, known = T.size, when <= T[who]
    x, t_x = np.bincount(who[known], minlength=customers), np.zeros(customers)
    np.maximum.at(t_x, who[known], when[known])
    spent = np.bincount(who[known], value[known], minlength=customers)
    return Histories(
        x,
        t_x,
        T,
        x,
        spent / np.maximum(x, 1),
        np.bincount(who[~known], minlength=customers),
        np.bincount(who[~known], value[~known], minlength=customers),
    )
