"""How orders went and who bought again, counted anew from the files of Olist and of the synthetic
shop, with the curves of lifelines."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import groupby
from math import hypot
from pathlib import Path
from typing import Any

import pytest

from tests.definitions.demo_files import BERLIN, DemoFiles
from tests.definitions.test_repeat_rates import Followed, figures
from tests.shops import rows

Day = date | None
WINDOWS = (90, 180, 365)
REFERENCES = {"on_time", "kept", "no_ticket", "good", "not_recovered", "web"}


@dataclass
class Order:
    """A valid order and the days of what became of it, none of them after as_of."""

    order_id: str
    person: str | None
    day: date
    moment: Any
    channel: str
    parcels: list[tuple[Day, Day]] = field(default_factory=list)  # promised, delivered
    returned: list[date] = field(default_factory=list)
    tickets: list[date] = field(default_factory=list)
    ratings: list[tuple[float, date]] = field(default_factory=list)
    bad: list[date] = field(default_factory=list)

    @property
    def arrived(self) -> Day:
        days = [delivered for _, delivered in self.parcels if delivered]
        return max(days, default=None) if len(days) == len(self.parcels) else None

    @property
    def days_late(self) -> int | None:
        late = [(came - promised).days for promised, came in self.parcels if promised and came]
        return max(late, default=None)


@dataclass
class Shop:
    warehouse: Path
    as_of: date
    orders: dict[str, Order]
    good: dict[str, list[date]]  # the days of each person's good signals
    tells: set[str]  # of what is not of every order: return, ticket, sales_channel

    def late(self) -> None:
        """Adds what is bad from the fourth day after the promise on."""
        for order in self.orders.values():
            for promised, came in order.parcels:
                fourth = promised + timedelta(days=4) if promised else self.as_of
                if order.person and promised and fourth <= min(came or self.as_of, self.as_of):
                    order.bad.append(max(fourth, order.day))

    def recovered(self, order: Order) -> Day:
        days = self.good.get(order.person or "", [])
        bad = min(order.bad)
        return min((day for day in days if 1 <= (day - bad).days <= 30), default=None)

    def experience(self, order: Order) -> tuple[Any, ...]:
        promised = [day for day, _ in order.parcels if day]
        bad = min(order.bad, default=None)
        on = self.recovered(order) if bad else None
        ended = bad is not None and bad + timedelta(days=30) <= self.as_of
        return (
            order.person is not None,
            order.channel,
            max(promised, default=None),
            order.arrived,
            order.days_late,
            None if order.days_late is None else order.days_late > 0,
            bool(order.returned) if "return" in self.tells else None,
            bool(order.tickets) if "ticket" in self.tells else None,
            min((stars for stars, _ in order.ratings), default=None),
            bad is not None if bad or order.person else None,
            bad,
            True if on else False if ended and order.person else None,
            on,
        )

    @cached_property
    def occasions(self) -> list[tuple[int, list[Order], Day]]:
        """Number, orders and the day of the next one."""
        known = [order for order in self.orders.values() if order.person]
        known.sort(key=lambda order: (order.person, order.moment, order.order_id))
        found = []
        for _, own in groupby(known, key=lambda order: order.person):
            days = [list(same) for _, same in groupby(own, key=lambda order: order.day)]
            nexts = [same[0].day for same in days[1:]] + [None]
            found += list(zip(range(1, len(days) + 1), days, nexts, strict=True))
        return found

    def arms(self, orders: list[Order]) -> Iterator[tuple[str, str | None, date]]:
        """Each experience of an occasion, its value and its landmark."""
        channel = orders[0].channel
        if "sales_channel" in self.tells and channel:
            yield "sales_channel", channel, orders[0].day
        bad = [order for order in orders if order.bad]
        if bad:
            put_right = all(self.recovered(order) for order in bad)
            known = max(min(order.bad) for order in bad)
            value = "recovered" if put_right else "not_recovered"
            yield "recovery", value, max(known, orders[0].day) + timedelta(days=30)
        arrived = [order.arrived if order.parcels else order.day for order in orders]
        if None in arrived:
            return
        landmark = max(day for day in [*arrived, orders[0].day] if day)
        late = [order.days_late for order in orders if order.days_late is not None]
        if late:
            yield "late_delivery", "late" if max(late) > 0 else "on_time", landmark
            value = "late_over_3_days" if max(late) > 3 else None if max(late) > 0 else "on_time"
            yield "late_delivery_over_3_days", value, landmark
        landmark += timedelta(days=14)
        if "return" in self.tells:
            came_back = any(day <= landmark for order in orders for day in order.returned)
            yield "return", "returned" if came_back else "kept", landmark
        if "ticket" in self.tells:
            asked = any(day <= landmark for order in orders for day in order.tickets)
            yield "ticket", "ticket" if asked else "no_ticket", landmark
        stars = [star for order in orders for star, day in order.ratings if day <= landmark]
        if stars:
            value = "bad" if min(stars) <= 2 else "good" if min(stars) >= 4 else None
            yield "rating", value, landmark

    @cached_property
    def strata(self) -> dict[tuple[str, str, int], tuple[Followed, int]]:
        """(experience, value, purchase number): those followed, and the number excluded."""
        followed: dict[tuple[str, str, int], Followed] = defaultdict(list)
        excluded: dict[tuple[str, str, int], int] = defaultdict(int)
        for number, orders, following in self.occasions:
            if number > 3:
                continue
            for experience, value, landmark in self.arms(orders):
                stratum = (experience, value or "", number)
                if not value or landmark > self.as_of:
                    continue
                if following and following < landmark:
                    excluded[stratum] += 1
                else:
                    length = ((following or self.as_of) - landmark).days
                    possible = (self.as_of - landmark).days
                    followed[stratum].append((length, following is not None, possible))
        return {
            stratum: (followed[stratum], excluded[stratum]) for stratum in {*followed, *excluded}
        }


def olist_shop(warehouse: Path, folder: Path) -> Shop:
    def table(name: str) -> list[dict[str, str]]:
        with (folder / f"olist_{name}_dataset.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def day(text: str) -> Day:
        return date.fromisoformat(text[:10]) if text else None

    persons = {row["customer_id"]: row["customer_unique_id"] for row in table("customers")}
    paid = {row["order_id"] for row in table("order_items") if float(row["price"]) > 0}
    listed = table("orders")
    as_of = max(date.fromisoformat(row["order_purchase_timestamp"][:10]) for row in listed)
    shop = Shop(warehouse, as_of, {}, defaultdict(list), set())
    buyers = {}
    for row in listed:
        number, moment = row["order_id"], row["order_purchase_timestamp"]
        placed = date.fromisoformat(moment[:10])
        buyers[number] = persons[row["customer_id"]], placed
        if number in paid and row["order_status"] not in ("canceled", "unavailable"):
            came = day(row["order_delivered_customer_date"])
            parcel = day(row["order_estimated_delivery_date"]), came
            order = Order(number, buyers[number][0], placed, moment, "marketplace", [parcel])
            shop.orders[number] = order
    for row in table("order_reviews"):
        stars, rated = int(row["review_score"]), day(row["review_creation_date"])
        assert rated and rated <= as_of
        person, placed = buyers[row["order_id"]]
        if stars >= 4:
            shop.good[person].append(max(rated, placed))
        if row["order_id"] in shop.orders:
            order = shop.orders[row["order_id"]]
            order.ratings.append((stars, rated))
            if stars <= 2:
                order.bad.append(max(rated, placed))
    shop.late()
    return shop


def demo_shop(warehouse: Path, files: DemoFiles) -> Shop:
    shop = Shop(warehouse, files.history().as_of, {}, defaultdict(list), set())
    shop.tells = {"return", "ticket", "sales_channel"}
    for sold in files.valid_orders():
        shop.orders[sold.order_id] = Order(
            sold.order_id, sold.person, sold.day, sold.moment, sold.channel
        )

    def day(text: str | None) -> Day:
        found = datetime.fromisoformat(text).astimezone(BERLIN).date() if text else None
        return found if found and found <= shop.as_of else None

    def latest(entity: str, *key: str) -> list[dict[str, Any]]:
        found = {tuple(row[name] for name in key): row for row in files.records(entity)}
        return list(found.values())

    def tell(row: dict[str, Any], known: Day, bad: bool, good: bool) -> None:
        placed = files.orders.get(row["order_no"])
        person = files.person(row["account"], row.get("contact_email"))
        if not person and placed and known:
            person, known = placed.person, max(known, placed.day)
        if person and known and good:
            shop.good[person].append(known)
        if person and known and bad and row["order_no"] in shop.orders:
            shop.orders[row["order_no"]].bad.append(known)

    for row in latest("shipments", "parcel_no"):
        is_seen = not row["handed_over_at"] or day(row["handed_over_at"])
        if row["order_no"] in shop.orders and is_seen:
            promise = date.fromisoformat(row["promised_on"]) if row["promised_on"] else None
            shop.orders[row["order_no"]].parcels.append((promise, day(row["delivered_at"])))
    for refund in files.refunds:
        if refund.order_id in shop.orders and refund.day <= shop.as_of:
            order = shop.orders[refund.order_id]
            order.returned.append(refund.day)
            if refund.reason == "defect" and order.person:
                order.bad.append(max(refund.day, order.day))
    for row in latest("reviews", "review_no", "order_no"):
        known, stars = day(row["written_at"]), row["stars"]
        if known and row["order_no"] in shop.orders:
            shop.orders[row["order_no"]].ratings.append((stars, known))
        tell(row, known, stars <= 2, stars >= 4)
    for row in latest("support_tickets", "ticket_no"):
        opened = day(row["opened_at"])
        if opened and row["order_no"] in shop.orders:
            shop.orders[row["order_no"]].tickets.append(opened)
        if row["satisfaction"] is not None:
            known = day(row["closed_at"] or row["opened_at"])
            tell(row, known, row["satisfaction"] <= 2, row["satisfaction"] >= 4)
    for row in latest("survey_answers", "answer_no"):
        if row["score"] is not None:
            low, high = {"recommend": (6, 9), "satisfied": (2, 4)}[row["survey"]]
            score = float(row["score"])
            tell(row, day(row["answered_at"]), score <= low, score >= high)
    shop.late()
    return shop


@pytest.fixture(scope="module", params=["demo", "olist"])
def shop(request: pytest.FixtureRequest) -> Shop:
    if request.param == "demo":
        warehouse = request.getfixturevalue("demo")
        return demo_shop(warehouse, request.getfixturevalue("demo_files"))
    real_data = request.getfixturevalue("real_data")
    return olist_shop(request.getfixturevalue("olist"), real_data / "olist")


def test_every_valid_order_has_one_row_that_says_what_the_files_say(shop: Shop) -> None:
    got = rows(
        shop.warehouse,
        """
        select order_id, customer_id is not null, sales_channel, promised_date, delivered_date,
            days_late, is_late, is_returned, has_ticket, rating, is_bad_experience,
            bad_experience_date, is_recovered, recovered_date
        from fct_order_experience
        """,
    )
    assert len(got) == len(shop.orders)
    assert {order_id: row for order_id, *row in got} == {
        name: list(shop.experience(order)) for name, order in shop.orders.items()
    }
    assert sum(order.days_late is not None for order in shop.orders.values()) > 2000
    assert sum(len(order.ratings) > 1 for order in shop.orders.values()) > 0


def test_deliveries_are_those_of_the_truth(demo: Path, demo_files: DemoFiles) -> None:
    truth = {
        row["order_no"]: (row["promised_date"], row["delivered_date"], row["days_late"])
        for row in demo_files.table("deliveries")
    }
    found = {
        order_id: tuple(delivery)
        for order_id, *delivery in rows(
            demo,
            "select order_id, promised_date, delivered_date, days_late from fct_order_experience",
        )
    }
    assert found == {order_id: truth.get(order_id, (None, None, None)) for order_id in found}
    assert sum((late or 0) > 0 for *_, late in found.values()) > 100


def test_customers_are_counted_from_the_landmark_on_and_those_before_it_apart(shop: Shop) -> None:
    got = {
        row[:3]: row[3:]
        for row in rows(
            shop.warehouse,
            """
            select distinct experience_type, experience_value, purchase_number, customers,
                excluded_customers
            from fct_experience_effects
            """,
        )
    }
    assert got == {
        stratum: (len(followed), excluded) for stratum, (followed, excluded) in shop.strata.items()
    }
    assert got["late_delivery", "late", 1][1] > 0


def test_rates_and_differences_are_those_of_lifelines(shop: Shop) -> None:
    expected = {
        (*stratum, window): figures(followed, window)
        for stratum, (followed, _) in shop.strata.items()
        for window in WINDOWS
    }
    got = {
        row[:4]: row[4:]
        for row in rows(
            shop.warehouse,
            """
            select experience_type, experience_value, purchase_number, window_days, customers,
                mature_customers, at_risk, km_rate, km_rate_lower, km_rate_upper, rate_difference,
                rate_difference_lower, rate_difference_upper
            from fct_experience_effects
            """,
        )
    }
    assert got.keys() == expected.keys()
    names = {(experience, value) for experience, value, _ in shop.strata}
    references = {experience: value for experience, value in names if value in REFERENCES}
    compared = 0
    for (experience, value, number, window), arm in expected.items():
        difference: tuple[float | None, ...] = (None, None, None)
        good = expected.get((experience, references[experience], number, window))
        if value not in REFERENCES and good and None not in (arm["rate"], good["rate"]):
            rate, other = arm["rate"], good["rate"]
            difference = (rate - other, None, None)
            if None not in (arm["rate_lower"], good["rate_lower"]):
                below = hypot(rate - arm["rate_lower"], good["rate_upper"] - other)
                above = hypot(arm["rate_upper"] - rate, other - good["rate_lower"])
                difference = (rate - other, rate - other - below, rate - other + above)
                compared += 1
        row = got[experience, value, number, window]
        assert row == pytest.approx((*arm.values(), *difference), abs=1e-9)
    assert compared >= 10


def test_a_review_id_of_several_orders_doubles_none_of_them(olist: Path, real_data: Path) -> None:
    with (real_data / "olist" / "olist_order_reviews_dataset.csv").open(encoding="utf-8") as file:
        reviews = list(csv.DictReader(file))
    assert len({row["review_id"] for row in reviews}) < len(reviews)
    query = "select count(*), count(distinct order_id), count(rating) from fct_order_experience"
    ((orders, distinct, rated),) = rows(olist, query)
    valid = {name for (name,) in rows(olist, "select order_id from fct_orders where is_valid")}
    assert orders == distinct == len(valid)
    assert rated == len({row["order_id"] for row in reviews} & valid)
