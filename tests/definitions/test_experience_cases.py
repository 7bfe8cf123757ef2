"""How orders went and who bought again after it, in shops that can be worked out in the head."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import count
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.settings import Settings
from tests.shops import contents, rebuild, rows, settings_of, write_csv

LAST = date(2025, 6, 30)
START = LAST - timedelta(days=200)
MARTS = ("fct_order_experience", "fct_experience_effects")
Found = dict[tuple[Any, ...], Any]


def at(day: int) -> str:
    """Noon so many days after the start of the shop."""
    return f"{START + timedelta(days=day)} 12:00:00"


class Shop:
    """Orders with what became of them; days are counted from the start of the shop."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.numbers = count()

    def add(self, entity: str, key: str, day: int, column: str, **record: object) -> None:
        named = {key: f"{entity}-{next(self.numbers)}"} | record
        self.records[entity].append(named | {column: at(day), "_day": day})

    def order(
        self,
        customer: str,
        day: int,
        name: str | None = None,
        parcels: Iterable[tuple[int, int | None]] = (),
        returned: int | None = None,
        ticket: int | None = None,
        ratings: Iterable[tuple[int, int]] = (),
        **given: object,
    ) -> None:
        """parcels: promised and delivered; ratings: stars and day."""
        order_id = name or f"order-{next(self.numbers)}"
        placed = {"customer_id": customer, "merchandise_amount": "10"} | given
        self.add("orders", "order_id", day, "ordered_at", order_id=order_id, **placed)
        for promised, delivered in parcels:
            promise = {"order_id": order_id, "promised_date": START + timedelta(days=promised)}
            if delivered is None:
                self.records["shipments"].append({"shipment_id": order_id} | promise)
            else:
                self.add("shipments", "shipment_id", delivered, "delivered_at", **promise)
        if returned is not None:
            given_back = {"order_id": order_id, "amount": "10"}
            self.add("refunds", "refund_id", returned, "refunded_at", **given_back)
        if ticket is not None:
            self.add("support_tickets", "ticket_id", ticket, "opened_at", order_id=order_id)
        for stars, rated in ratings:
            self.rate(order_id, stars, rated)

    def rate(self, order_id: str, stars: int, day: int, review_id: str | None = None) -> None:
        named = {"review_id": review_id} if review_id else {}
        review = {"order_id": order_id, "rating": stars} | named
        self.add("reviews", "review_id", day, "reviewed_at", **review)

    def build(self, folder: Path, *, as_of: date = LAST, until: int = 1000) -> Settings:
        """The warehouse, of the records until a day."""
        for entity, records in self.records.items():
            known = [record for record in records if record.get("_day", 0) <= until]
            columns = dict.fromkeys(name for record in known for name in record if name != "_day")
            lines = [{name: record.get(name, "") for name in columns} for record in known]
            if lines:
                write_csv(folder / "landing" / "files" / f"{entity}.csv", lines)
        settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
        return rebuild(settings, as_of=as_of, marts=MARTS)


def effects(settings: Settings, *experiences: str, window: int = 90) -> Found:
    """(value, purchase number): customers, those excluded; of these experiences together."""
    found = rows(
        settings,
        f"""
        select experience_value, purchase_number, customers, excluded_customers
        from fct_experience_effects
        where window_days = {window} and list_contains({list(experiences)}, experience_type)
        """,
    )
    return {(value, number): counts for value, number, *counts in found}


def test_each_order_has_one_row_with_what_is_known_of_it(tmp_path: Path) -> None:
    shop = Shop()
    shop.order("anna", 0, "two_parcels", parcels=[(5, 6), (9, 8)], returned=30, ticket=9)
    shop.order("anna", 1, "on_its_way", parcels=[(198, 190), (199, None)], ratings=[(5, 20)])
    shop.order("bert", 2, "overdue", parcels=[(100, None)], ratings=[(3, 131)])
    shop.order("bert", 3, "in_the_shop", ratings=[(2, 4), (5, 3)])
    shop.order("cara", 4, "long_late", parcels=[(10, 20)])
    shop.order("dora", 180, "young", parcels=[(182, 195)])
    shop.order("dora", 181, "cancelled", parcels=[(182, 195)], order_status="cancelled")
    shop.order("", 5, "of_nobody", parcels=[(10, 20)])
    for order_id in ("two_parcels", "on_its_way"):  # one id, as Olist has them
        shop.rate(order_id, 4, 25, review_id="twice")
    shop.rate("in_the_shop", 4, 34, review_id="forgiven")
    shop.rate("on_its_way", 4, 50, review_id="of_cara")
    shop.records["reviews"][-1]["customer_id"] = "cara"

    def day(number: int | None) -> date | None:
        return None if number is None else START + timedelta(days=number)

    # promised, delivered, days late, returned, ticket, rating, bad since, recovered, on
    expected = {
        "two_parcels": (9, 8, 1, True, True, 4, None, None, None),
        "on_its_way": (199, None, -8, False, False, 4, None, None, None),
        "overdue": (100, None, None, False, False, 3, 104, False, None),
        "in_the_shop": (None, None, None, False, False, 2, 4, True, 34),
        "long_late": (10, 20, 10, False, False, None, 14, False, None),
        "young": (182, 195, 13, False, False, None, 186, None, None),
        "of_nobody": (10, 20, 10, False, False, None, None, None, None),
    }
    got = rows(
        shop.build(tmp_path),
        """
        select order_id, promised_date, delivered_date, days_late, is_late, is_returned, has_ticket,
            rating, is_bad_experience, bad_experience_date, is_recovered, recovered_date
        from fct_order_experience order by order_id
        """,
    )
    assert got == [
        (
            name,
            day(promised),
            day(delivered),
            late,
            None if late is None else late > 0,
            returned,
            ticket,
            rating,
            None if name == "of_nobody" else bad is not None,
            day(bad),
            recovered,
            day(on),
        )
        for name, (promised, delivered, late, returned, ticket, rating, bad, recovered, on) in (
            sorted(expected.items())
        )
    ]


def share(returned: int, of: int) -> tuple[float, float, float]:
    """A share with its log-log bounds, where nobody is censored."""
    rate = returned / of
    spread = 1.959963984540054 * sqrt(returned / (of * (of - returned))) / log(1 - rate)
    lower, upper = (1 - exp(log(1 - rate) * exp(sign * spread)) for sign in (1, -1))
    return rate, lower, upper


def test_who_bought_again_before_the_delivery_is_excluded_and_a_purchase_on_its_day_counts(
    tmp_path: Path,
) -> None:
    shop = Shop()

    def customers(name: str, number: int, days_late: int, gap: int | None) -> None:
        """Delivered on day 20; bought again so many days later."""
        for customer in range(number):
            shop.order(f"{name}{customer}", 0, parcels=[(20 - days_late, 20)])
            if gap is not None:
                shop.order(f"{name}{customer}", 20 + gap)

    customers("prompt on the day", 10, 0, 0)
    customers("prompt on day 90", 4, 0, 90)
    customers("prompt on day 91", 3, -5, 91)
    customers("prompt and gone", 13, 0, None)
    customers("late before", 5, 1, -1)
    customers("late on the day", 2, 1, 0)
    customers("late on day 90", 1, 3, 90)
    customers("late on day 91", 1, 3, 91)
    customers("late and gone", 16, 2, None)
    for number in range(20):
        shop.order(f"not delivered{number}", 0, parcels=[(20, None)])
        shop.order(f"half delivered{number}", 0, parcels=[(15, 20), (15, None)])
        shop.order(f"delivered tomorrow{number}", 0, parcels=[(20, 201)])
    settings = shop.build(tmp_path)

    got = {
        row[:2]: row[2:]
        for row in rows(
            settings,
            """
            select experience_value, window_days, customers, excluded_customers, mature_customers,
                at_risk, km_rate, km_rate_lower, km_rate_upper, rate_difference,
                rate_difference_lower, rate_difference_upper
            from fct_experience_effects
            where experience_type = 'late_delivery' and purchase_number = 1
            """,
        )
    }
    nothing = (None,) * 3
    for window, prompt, late in ((90, 14, 3), (180, 17, 4)):
        rate, lower, upper = share(prompt, 30)
        late_rate, late_lower, late_upper = share(late, 20)
        at_risk = {90: (30 - 10, 20 - 2), 180: (30 - 17, 20 - 4)}[window]
        assert got["on_time", window] == pytest.approx(
            (30, 0, 30, at_risk[0], rate, lower, upper, *nothing)
        )
        difference = late_rate - rate
        below = sqrt((late_rate - late_lower) ** 2 + (upper - rate) ** 2)
        above = sqrt((late_upper - late_rate) ** 2 + (rate - lower) ** 2)
        differences = (difference, difference - below, difference + above)
        assert got["late", window] == pytest.approx(
            (20, 5, 20, at_risk[1], late_rate, late_lower, late_upper, *differences)
        )
    assert got["on_time", 365] == (30, 0, 0, 0, *nothing, *nothing)
    assert got["late", 365] == (20, 5, 0, 0, *nothing, *nothing)
    assert effects(settings, "late_delivery_over_3_days")["on_time", 1] == [30, 0]
    assert ("late_over_3_days", 1) not in effects(settings, "late_delivery_over_3_days")


def test_what_becomes_known_after_the_landmark_does_not_count(tmp_path: Path) -> None:
    shop = Shop()
    parcel = {"parcels": [(10, 10)]}
    shop.order("in time", 0, **parcel, returned=24, ticket=24, ratings=[(5, 12), (2, 24)])
    shop.order("too late", 0, **parcel, returned=25, ticket=25, ratings=[(5, 12), (2, 25)])
    shop.order("bought before", 0, **parcel, returned=12, ticket=12, ratings=[(4, 12)])
    shop.order("bought before", 23)
    shop.order("in the shop", 0, returned=14, ticket=14, ratings=[(4, 15)])
    shop.order("in the shop, slowly", 0, returned=15, ticket=15, ratings=[(3, 1), (4, 1)])
    shop.order("under way", 0, parcels=[(10, None)], returned=12, ticket=12, ratings=[(1, 12)])
    shop.order("too young", 187, returned=188, ticket=188, ratings=[(1, 188)])
    settings = shop.build(tmp_path)

    # "bought before" again in the shop is the only second purchase
    assert effects(settings, "return") == {
        ("returned", 1): [2, 1],
        ("kept", 1): [2, 0],
        ("kept", 2): [1, 0],
    }
    assert effects(settings, "ticket") == {
        ("ticket", 1): [2, 1],
        ("no_ticket", 1): [2, 0],
        ("no_ticket", 2): [1, 0],
    }
    assert effects(settings, "rating") == {("bad", 1): [1, 0], ("good", 1): [1, 1]}


def test_a_bad_experience_is_looked_at_30_days_after_it_became_known(tmp_path: Path) -> None:
    shop = Shop()
    shop.order("put right", 0, "right", ratings=[(1, 10), (4, 40)])
    shop.order("put right late", 0, "late", ratings=[(1, 10), (4, 41)])
    shop.order("bought before", 0, "before", ratings=[(1, 10)])
    shop.order("bought before", 39, "of day 39", ratings=[(5, 40)])
    shop.order("bought then", 0, "then", parcels=[(6, 30)])
    shop.order("bought then", 40, "of day 40", ratings=[(5, 41)])
    shop.order("one of two put right", 0, "first", ratings=[(1, 10), (5, 20)])
    shop.order("one of two put right", 0, "second", ratings=[(1, 20)])
    shop.order("still running", 0, "young", ratings=[(1, 171), (5, 172)])
    shop.order("all is well", 0, "well", ratings=[(5, 10)])
    assert effects(shop.build(tmp_path), "recovery") == {
        ("recovered", 1): [1, 1],
        ("not_recovered", 1): [3, 0],
    }


def test_sales_channels_stand_side_by_side_and_a_purchase_counts_in_one(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(12):
        shop.order(f"app{number}", 0, sales_channel="app")
        shop.order(f"app{number}", 10 * number, sales_channel="event")
    for number in range(3):
        shop.order(f"web{number}", 0, sales_channel="web")
    shop.order("somewhere", 0)
    shop.order("both", 0, "b", sales_channel="app")
    shop.order("both", 0, "a", sales_channel="web")
    settings = shop.build(tmp_path)
    assert effects(settings, "sales_channel") == {
        ("web", 1): [4, 0],  # orders of one moment are numbered by their ids
        ("app", 1): [12, 0],
        ("event", 2): [11, 0],
    }
    ((references,),) = rows(
        settings,
        "select list(distinct experience_value) from fct_experience_effects where is_reference",
    )
    assert references == ["web"]
    ((rate,),) = rows(
        settings,
        """
        select km_rate from fct_experience_effects
        where experience_value = 'app' and purchase_number = 1 and window_days = 90
        """,
    )
    assert rate == pytest.approx(9 / 12)  # the first one's two orders are of one day


TOLD: dict[str, tuple[dict[str, Any], set[str], set[str]]] = {
    "nothing": ({}, set(), set()),
    "shipments": (
        {"parcels": [(10, 14)]},
        {"promised_date", "delivered_date", "days_late", "is_late", "is_bad_experience"}
        | {"bad_experience_date", "is_recovered"},
        {"late_delivery", "late_delivery_over_3_days", "recovery"},
    ),
    "refunds": ({"returned": 5}, {"is_returned", "is_bad_experience"}, {"return"}),
}


@pytest.mark.parametrize("entity", TOLD)
def test_a_shop_says_nothing_of_what_it_does_not_deliver(tmp_path: Path, entity: str) -> None:
    given, told, types = TOLD[entity]
    shop = Shop()
    shop.order("anna", 0, **given)
    shop.order("bert", 0)
    settings = shop.build(tmp_path)
    columns = [
        "promised_date",
        "delivered_date",
        "days_late",
        "rating",
        "is_late",
        "is_returned",
        "has_ticket",
        "is_bad_experience",
        "is_recovered",
        "bad_experience_date",
        "recovered_date",
    ]
    counts = ", ".join(f"count({column})" for column in columns)
    ((orders, *filled),) = rows(settings, f"select count(*), {counts} from fct_order_experience")
    assert orders == (2 if told else 0)
    assert {name for name, number in zip(columns, filled, strict=True) if number} == told
    found = rows(settings, "select distinct experience_type from fct_experience_effects")
    assert {name for (name,) in found} == types


def test_facts_after_as_of_are_unseen(tmp_path: Path) -> None:
    shop = Shop()
    for number, day in enumerate(range(0, 120, 3)):
        shop.order(
            f"customer {number % 9}",
            day,
            parcels=[(day + 4, day + number % 11)],
            returned=day + 20 if number % 3 == 0 else None,
            ticket=day + number if number % 4 == 0 else None,
            ratings=[(1 + number % 5, day + 10), (1 + number % 4, day + 2 * number)],
            sales_channel=("web", "app")[number % 2],
        )
    past = START + timedelta(days=80)
    seen = contents(shop.build(tmp_path / "all", as_of=past))
    for parcel in shop.records["shipments"]:  # promised, and not there yet
        if parcel["_day"] > 80:
            parcel |= {"delivered_at": "", "_day": 0}
    ordered = {order["order_id"] for order in shop.records["orders"] if order["_day"] <= 80}
    for entity, records in shop.records.items():
        shop.records[entity] = [record for record in records if record["order_id"] in ordered]
    cut = contents(shop.build(tmp_path / "cut", as_of=past, until=80))
    for mart in MARTS:
        assert seen[mart] == cut[mart] != []
