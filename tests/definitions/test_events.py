"""Marts of events against plain loops over random events, and what must hold however they come."""

import itertools
import random
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from dagster_project.lib.dbt import check_orders
from dagster_project.lib.errors import CheckFailed
from dagster_project.lib.settings import Settings
from tests.definitions import event_history as brute
from tests.shops import (
    contents,
    dbt,
    rebuild,
    rebuild_by_dbt,
    rows,
    settings_of,
    take_in,
    write_csv,
)

ZONE = ZoneInfo("Europe/Berlin")
FIRST, AS_OF = date(2024, 1, 20), date(2024, 5, 20)  # with a change of the clocks
COLUMNS = (
    *("event_id", "anonymous_id", "customer_id", "customer_email", "event_type", "cart_id"),
    *("order_id", "product_id", "page_url", "channel", "campaign", "variant", "device"),
    *("user_agent", "search_term", "search_results", "value", "currency", "occurred_at"),
)
EMAILS = {f"c{number}": f"c{number}@example.org" for number in range(1, 13)} | {
    "c12": "c1@example.org"  # the same person
}
GUEST = "guest@example.org"
NAMES = {"c3": ("Green", "Tea-Brown"), "c4": ("Noël", "d'Orange")}
GAPS = [0.3, 1, 1.2, 40, 300, 1799.5, 1800, 1800.5, 4000]

Files = Mapping[str, Sequence[Mapping[str, object]]]


def event(event_id: str, event_type: str, occurred_at: datetime, **given: Any) -> brute.Event:
    filled = dict.fromkeys(COLUMNS)
    return {
        **filled,
        "event_id": event_id,
        "event_type": event_type,
        "occurred_at": occurred_at,
        **given,
    }


def utc(local: datetime) -> datetime:
    return local.replace(tzinfo=ZONE).astimezone(UTC).replace(tzinfo=None)


def midnight(day: date, **after: float) -> datetime:
    return utc(datetime.combine(day, datetime.min.time()) + timedelta(**after))


class RandomShop:
    """Events of cookies, accounts and addresses, with orders that some of them name."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.events: list[brute.Event] = []
        self.orders: list[dict[str, Any]] = []
        for number in range(40):
            self.visitor(number)
        self.mails()
        self.returns()
        self.seekers()
        self.guests()
        self.bots()
        self.repeats()
        self.words()
        self.chance.shuffle(self.events)

    def new_id(self) -> str:
        """Ids that do not rise with time."""
        return f"{self.chance.randrange(10**9):09d}-{len(self.events)}"

    def add(self, event_type: str, occurred_at: datetime, **given: Any) -> brute.Event:
        self.events.append(event(self.new_id(), event_type, occurred_at, **given))
        return self.events[-1]

    def moment(self) -> datetime:
        day = FIRST + timedelta(days=self.chance.randrange((AS_OF - FIRST).days + 6))
        hours = self.chance.choice([23.7, 23.95, self.chance.uniform(0, 24)])
        return midnight(day, hours=round(hours, 3))

    def visitor(self, number: int) -> None:
        """Without a person, with one, or with two of them."""
        chance = self.chance
        owners = chance.choice([[], [f"c{number % 12 + 1}"], [f"c{number % 12 + 1}"], ["c2", "c3"]])
        owners = [GUEST] if number == 7 else owners
        for _ in range(chance.randrange(1, 5)):
            self.visit(f"k{number}", chance.choice(owners or [None]), self.moment())

    def visit(self, cookie: str, owner: str | None, now: datetime) -> None:
        chance = self.chance
        channel, campaign = chance.choice(
            [("ads", "spring"), ("mail", "letter"), ("radio", None), (None, None), ("ads", "sale")]
        )
        cart_id = chance.choice([None, f"cart-{cookie}", f"cart-{cookie}-{chance.randrange(2)}"])
        device = chance.choice(["phone", "desktop", None])
        kinds = ["page_view", "product_view", "search", "add_to_cart", "add_to_cart", "share"]
        kinds += ["remove_from_cart", "checkout_started", "purchase", "campaign_touch"]
        kinds += ["checkout_step", "identify"]
        for _ in range(chance.randrange(1, 9)):
            kind = chance.choice(kinds)
            given: dict[str, Any] = {"anonymous_id": cookie, "device": device}
            given["page_url"] = chance.choice([None, "/", "/tea", "/tea?from=Noël#top"])
            if chance.random() < 0.6:
                given |= {"channel": channel, "campaign": campaign}
            elif chance.random() < 0.2:
                given |= {"channel": "ads", "campaign": "late"}
            if owner and chance.random() < 0.3:
                by_email = owner == GUEST or chance.random() < 0.3
                given |= (
                    {"customer_email": EMAILS.get(owner, owner)}
                    if by_email
                    else {"customer_id": owner}
                )
            if kind == "search":
                given["search_term"] = chance.choice([" Green  Tea", "green tea", "CUP", " ", None])
                given["search_results"] = chance.choice([0, 3, None])
            if kind in brute.STEPS:
                given["cart_id"] = cart_id
                if chance.random() < 0.8:
                    given["value"] = Decimal(chance.randrange(100, 9000)) / 100
                    given["currency"] = chance.choice([None, "EUR", "GBP"])
            if kind == "purchase":
                given["cart_id"] = chance.choice([None, cart_id])
                given["order_id"] = self.order(owner, now)
            if kind == "purchase" and owner != GUEST and chance.random() < 0.2:  # by the server
                given = {"customer_id": owner, "order_id": given["order_id"]}
            if kind == "campaign_touch":
                variant = chance.choice("aaaabbbbc")
                given |= chance.choice([{"campaign": "test", "variant": variant}, {}])
            self.add(kind, now, **given)
            now += timedelta(seconds=chance.choice(GAPS))
        if chance.random() < 0.3:
            self.order(owner, now + timedelta(hours=chance.choice([-0.2, 0.1, 0.6, 20, 30])))

    def order(self, owner: str | None, now: datetime) -> str | None:
        """An order, or the name of one that is not there."""
        chance = self.chance
        name = f"o{len(self.orders)}"
        if chance.random() < 0.15:
            return chance.choice([None, f"gone-{name}"])
        at = now + timedelta(seconds=chance.choice([0, 2]))
        if chance.random() < 0.15:  # the shop delivers the date alone
            at = midnight(at.replace(tzinfo=UTC).astimezone(ZONE).date())
        self.orders.append(
            {
                "order_id": name,
                "customer_id": owner if owner != GUEST else "",
                "customer_email": GUEST if owner == GUEST else "",
                "order_status": chance.choice(["paid", "paid", "paid", "cancelled"]),
                "currency": "EUR",
                "merchandise_amount": chance.randrange(5, 90),
                "ordered_at": f"{at:%FT%TZ}",
            }
        )
        return chance.choice([name, name, name, None])

    def mails(self) -> None:
        """From a tool that knows addresses and no cookies; and two events of nobody."""
        for address in (*EMAILS.values(), "stranger@example.org"):
            given = {"customer_email": address, "channel": "mail"}
            for _ in range(2):
                self.add("email_click", self.moment(), campaign="letter", **given)
            for days in range(20):
                at = midnight(FIRST + timedelta(days=days), hours=1)
                self.add("email_open", at, campaign="only opened", **given)
        self.add("sign_up", self.moment(), customer_id="c4", channel="shop")
        for hours in (-0.5, 0.5):  # 24 hours ago at the end of as_of, and not yet
            cart = f"cart-{hours}"
            self.add("add_to_cart", midnight(AS_OF, hours=hours), customer_id="c4", cart_id=cart)
        for _ in range(2):
            self.add("page_view", midnight(date(2024, 3, 1), hours=9))

    def words(self) -> None:
        """What customers say of the shop, minutes after they were in it."""
        kinds = itertools.cycle(["user_generated_content", "community_answer", "reference"])
        for before in self.events[::5]:
            who = {name: before[name] for name in ("anonymous_id", "customer_id")}
            at = before["occurred_at"] + timedelta(minutes=20)
            self.add(next(kinds), at, campaign="no touch", **who)

    def returns(self) -> None:
        """Carts that rest for 40 hours, over one evening, and are taken up again; and an order 20
        hours after a search."""
        for days in (9, 39, 69):
            given = {"customer_id": "c5", "cart_id": f"rest-{days}"}
            at = midnight(FIRST + timedelta(days=days), hours=10)
            self.add("add_to_cart", at, **given)
            self.add("remove_from_cart", at + timedelta(hours=40), **given)
        self.add("search", at, customer_id="c6", search_term="saucer")
        order = {"customer_id": "c6", "customer_email": "", "merchandise_amount": 9}
        stamp = f"{at + timedelta(hours=20):%FT%TZ}"
        order |= {"order_id": "slept", "order_status": "paid", "ordered_at": stamp}
        self.orders.append(self.orders[0] | order)

    def seekers(self) -> None:
        """Words that are names, too: of two visitors and of three."""
        for term, visitors in (("Brown teapot", 1), ("NOËL,cup", 2), ("orange", 3), ("brownie", 1)):
            for number in range(visitors):
                for _ in range(2):
                    given = {"anonymous_id": f"seeker {number}", "search_term": term}
                    self.add("search", self.moment(), **given)

    def guests(self) -> None:
        """Two orders each of people who never log in, by a campaign, the second sometimes after an
        hour on the page of the bank; a program names one too."""
        for days in range(5, 60, 5):
            address, at = f"g{days}@example.org", midnight(FIRST + timedelta(days=days), hours=15)
            given = {"anonymous_id": f"guest-{days}", "channel": "ads", "campaign": "sale"}
            self.add("page_view", at, **given)
            for minutes in (5, 9 + 60 * (days % 2)):
                later, name = at + timedelta(minutes=minutes), f"by-{address}-{minutes}"
                self.add("purchase", later, order_id=name, **given)
                order = {"customer_id": "", "customer_email": address, "merchandise_amount": days}
                order |= {"order_id": name, "ordered_at": f"{later:%FT%TZ}"}
                self.orders.append(self.orders[0] | order | {"order_status": "paid"})
        given = {"anonymous_id": "scanner", "user_agent": "python-requests"}
        self.add("purchase", at, order_id=name, **given)

    def bots(self) -> None:
        """Programs by name, and one event too many in a minute and in an hour; and just not."""
        day = date(2024, 3, 5)
        program = "Mozilla/5.0 (compatible; GoogleBOT/2.1; +http://example.org)"
        for position in range(5):
            given = {"user_agent": program if position == 2 else None, "campaign": "spring"}
            at = midnight(day, hours=10 + position)
            self.add("page_view", at, anonymous_id="crawler", **given)
        for cookie, events, gap in (
            *(("fast", 61, 0.9), ("nearly", 60, 0.9)),
            *(("steady", 601, 5.9), ("busy", 600, 5.9)),
        ):
            for position in range(events):
                at = midnight(day, hours=12, seconds=position * gap)
                page = f"/{position}"
                self.add("add_to_cart", at, anonymous_id=cookie, page_url=page, cart_id=cookie)
            self.add("page_view", midnight(day, hours=20), anonymous_id=cookie)
            self.add("page_view", midnight(day, hours=30), anonymous_id=cookie)

    def repeats(self) -> None:
        """The same under another id, a little later; at the border of a day too."""
        for told in self.chance.sample(self.events, 120):
            later = timedelta(seconds=self.chance.choice([0, 0.4, 1, 1.001, 1.5]))
            self.events.append(
                {**told, "event_id": self.new_id(), "occurred_at": told["occurred_at"] + later}
            )
        for hours in (-0.0001, 0.00005):
            given = {"anonymous_id": "owl", "page_url": "/night"}
            self.add("page_view", midnight(date(2024, 4, 2), hours=hours), **given)


def as_lines(events: Sequence[brute.Event]) -> list[dict[str, object]]:
    return [
        {
            name: "" if value is None else value
            for name, value in (
                told | {"occurred_at": f"{told['occurred_at'].isoformat()}Z"}
            ).items()
        }
        for told in events
    ]


SPEND = [
    (date(2024, month, day), channel, campaign, currency, Decimal(amount))
    for month in (2, 3, 4, 5)
    for day, channel, campaign, currency, amount in [
        (1, "ads", "spring", "EUR", "20.00"),
        (27, "ads", "spring", "GBP", "10.50"),
        (2, "ads", "sale", "EUR", "12.00"),
        (15, "radio", "all", "EUR", "7.77"),
        (15, "mail", "letter", "EUR", "0"),
        (9, "print", "never seen", "EUR", "100"),
    ]
] + [(AS_OF + timedelta(days=1), "shop", "all", "EUR", Decimal(9))]
RATES = {
    FIRST + timedelta(days=5 * number): Decimal("1.10") + Decimal(number) / 100
    for number in range(-6, 30)
}


def rate(currency: str, day: date) -> Decimal:
    if currency == "EUR":
        return Decimal(1)
    return RATES[max(known for known in RATES if known <= day)]


def files_of(shop: RandomShop) -> Files:
    account = {"created_at": "2023-01-01 00:00:00"}
    return {
        "orders.csv": shop.orders,
        "customers.csv": [
            {
                **{"customer_id": name, "email": address, **account},
                **dict(zip(("first_name", "last_name"), NAMES.get(name, ("", "")), strict=True)),
            }
            for name, address in EMAILS.items()
        ],
        "events_1.csv": as_lines(shop.events[::2]),
        "events_2.csv": as_lines(shop.events[1::2]),
        "marketing_spend.csv": [
            dict(
                zip(("spend_date", "channel", "campaign", "currency", "amount"), line, strict=True)
            )
            for line in SPEND
        ],
        "exchange_rates.csv": [
            {"rate_date": day, "from_currency": "GBP", "to_currency": "EUR", "rate": value}
            for day, value in RATES.items()
        ],
    }


def landed(folder: Path, files: Files, **given: Any) -> Settings:
    for name, lines in files.items():
        write_csv(folder / "landing" / name, lines)
    return settings_of(
        folder / "landing",
        folder / "warehouse",
        connectors="files",
        time_zone=ZONE.key,
        reporting_currency="EUR",
        **given,
    )


def told(settings: Settings, shop: RandomShop, as_of: date, **given: Any) -> brute.Shop:
    """What the loops are given: the events as written, valid orders as fct_orders has them."""
    persons = {account: "c1" if account == "c12" else account for account in EMAILS}
    persons |= {address: address.split("@")[0] for address in EMAILS.values()}
    guest = (
        "select any_value(customer_id) from fct_orders"
        " where customer_id not like 'c%' and order_id not like 'by-%'"
    )
    ((guest_id,),) = rows(settings, guest)
    orders = rows(
        settings,
        "select order_id, customer_id, ordered_at, net_sales, contribution_margin"
        " from fct_orders where is_valid",
    )
    return brute.Shop(
        events=shop.events,
        orders=[brute.Order(*order) for order in orders],
        persons=persons | ({GUEST: guest_id} if guest_id else {}),
        names={"green", "tea", "brown", "noël", "d", "orange"},
        zone=ZONE,
        as_of=as_of,
        spend=[
            (day, channel, campaign, brute.cents(amount * rate(currency, day)))
            for day, channel, campaign, currency, amount in SPEND
        ],
        rate=rate,
        **given,
    )


def by_key(settings: Settings, query: str, keys: int = 1) -> dict[Any, tuple[Any, ...]]:
    found = rows(settings, query)
    table = {row[0] if keys == 1 else row[:keys]: row[keys:] for row in found}
    assert len(table) == len(found)
    return table


Built = tuple[Settings, brute.Shop, list[brute.Event], list[brute.Session]]

VARIATIONS: dict[str, dict[str, Any]] = {
    "as_it_comes": {},
    "undivided": {
        "session_timeout_minutes": 20,
        "split_sessions_at_midnight": False,
        "split_sessions_at_campaign": False,
    },
}


@pytest.fixture(scope="module", params=VARIATIONS)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    given = VARIATIONS[request.param]
    shop = RandomShop(seed=3)
    settings = landed(tmp_path_factory.mktemp("events"), files_of(shop), **given)
    rebuild(settings, as_of=AS_OF)
    known = told(
        settings,
        shop,
        AS_OF,
        timeout=timedelta(minutes=given.get("session_timeout_minutes", 30)),
        splits_at_midnight=not given,
        splits_at_campaign=not given,
    )
    events = brute.clean(known)
    return settings, known, events, brute.sessions(known, events)


def test_discarded_events_are_counted_by_reason(built: Built) -> None:
    settings, _, events, _ = built
    expected: dict[Any, int] = {}
    for told_event in events:
        if told_event["reason"]:
            key = (told_event["day"], "files", told_event["reason"])
            expected[key] = expected.get(key, 0) + 1
    assert {reason for *_, reason in expected} == {"duplicate", "bot_user_agent", "bot_rate"}
    assert {key: (count,) for key, count in expected.items()} == by_key(
        settings,
        "select event_date, source_name, discard_reason, events from fct_discarded_events",
        3,
    )


def test_sessions_are_those_of_the_loops(built: Built) -> None:
    settings, shop, _, found = built
    expected = brute.fct_sessions(shop, found)
    assert {len(session.orders) for session in found} > {0, 1}
    assert expected == by_key(
        settings,
        """
        select session_id, customer_id, channel, campaign, device, landing_page, bot_reason, events,
            page_views, product_views, searches, carts, checkouts, orders, purchases_without_order,
            session_date, started_at, ended_at
        from fct_sessions
        """,
    )


def test_every_visit_that_is_no_duplicate_is_in_one_session(built: Built) -> None:
    settings, _, events, _ = built
    kept = [
        told_event
        for told_event in events
        if told_event["reason"] != "duplicate" and told_event["event_type"] not in brute.NO_VISITS
    ]
    logins = {told["event_id"] for told in kept if told["event_type"] == "identify"}
    visits = {told["event_id"] for told in kept} - logins
    with duckdb.connect(str(settings.build_file), read_only=True) as build:
        placed = build.execute(
            "select event_id from intermediate.int_events__sessionized"
        ).fetchall()
    ids = {event_id for (event_id,) in placed}
    assert len(placed) == len(ids)
    assert ids - logins == visits
    assert set() < logins - ids < logins  # by itself it is no visit, amid others it is of theirs
    assert rows(settings, "select sum(events) from fct_sessions") == [(len(ids),)]


def test_each_order_converts_one_session_at_most(built: Built) -> None:
    settings, shop, _, _ = built
    ((counted,),) = rows(settings, "select sum(orders) from fct_sessions")
    assert 0 < counted <= len(shop.orders)


def test_the_funnel_is_that_of_the_loops(built: Built) -> None:
    settings, shop, _, found = built
    expected = brute.fct_funnel_daily(shop, found)
    assert sum(cell[5] for cell in expected.values()) > 0
    assert expected == by_key(
        settings,
        "select session_date, channel, campaign, device, sessions, product_views, carts, checkouts,"
        " orders, purchases_without_order from fct_funnel_daily",
        4,
    )


def test_search_terms_are_those_of_the_loops(built: Built) -> None:
    settings, shop, _, found = built
    expected = brute.fct_search_terms(shop, found)
    told = {"green tea", "cup", "saucer", "orange", "brownie", "(name)"}
    assert {term for _, term in expected} == told
    assert sum(orders for *_, orders in expected.values()) > 0
    assert expected == by_key(
        settings,
        "select month, term, searches, without_result, orders_after from fct_search_terms",
        2,
    )


def test_carts_are_those_of_the_loops(built: Built) -> None:
    settings, shop, _, found = built
    expected = brute.fct_carts(shop, found)
    assert {status for _, _, status, *_ in expected.values()} == {"open", "ordered", "abandoned"}
    assert any(status == "ordered" and not order for _, order, status, *_ in expected.values())
    assert expected == by_key(
        settings,
        "select cart_id, customer_id, order_id, status, last_step, cart_value, abandoned_on,"
        " started_at, last_step_at from fct_carts",
    )


def test_campaigns_are_those_of_the_loops(built: Built) -> None:
    settings, shop, events, found = built
    expected = brute.fct_campaigns(shop, events, found)
    got = by_key(
        settings,
        """
        select campaign, month, spend::double, sessions, first_touch_customers,
            last_touch_customers, mature_customers_90_days, mature_customers_365_days, cac::double,
            ltv_90_days::double, ltv_365_days::double, ltv_to_cac, payback_months
        from fct_campaigns
        """,
        2,
    )
    assert got.keys() == expected.keys()
    for key, figures in expected.items():
        assert got[key] == pytest.approx(figures, abs=0.0006), key
    assert {figures[3] for figures in expected.values()} > {0, 1}
    assert any(figures[6] for figures in expected.values())
    assert any(figures[10] is not None for figures in expected.values())


def test_variants_are_counted_by_visitor(built: Built) -> None:
    settings, shop, events, found = built
    counts, mixed = brute.exposures(shop, events, found, timedelta(days=28))
    assert len({variant for _, variant in counts}) > 1
    got = by_key(
        settings,
        "select campaign, variant, exposed, converted, mixed_visitors from fct_campaign_variants",
        2,
    )
    assert got == {key: (*pair, mixed[key[0]]) for key, pair in counts.items()}


def test_abandonments_are_what_stood_on_each_day(tmp_path: Path) -> None:
    """Cut to what was known on a day, the loops must find what the spans say of that day."""
    shop = RandomShop(seed=9)
    settings = landed(tmp_path, files_of(shop))
    rebuild(settings, as_of=AS_OF, marts=["fct_lifecycle_transitions", "fct_orders"])
    with duckdb.connect(str(settings.build_file), read_only=True) as build:
        spans = build.execute(
            "select cart_id, customer_id, abandoned_on, resumed_on"
            " from intermediate.int_carts__abandonments"
        ).fetchall()
    assert any(resumed_on for *_, resumed_on in spans)
    whole = told(settings, shop, AS_OF)
    seen = 0
    for days in range(10, (AS_OF - FIRST).days, 3):
        day = FIRST + timedelta(days=days)
        known = told(settings, shop, day)
        known.orders = [order for order in whole.orders if whole.day(order.ordered_at) <= day]
        events = brute.clean(known)
        then = brute.abandoned_as_seen_then(known, day, brute.sessions(known, events), events)
        standing = {
            (cart_id, customer)
            for cart_id, customer, begin, end in spans
            if begin <= day and (end is None or end > day)
        }
        links = brute.cookies(known, events)
        shared = {cookie for cookie, persons in links.items() if len(persons) > 1}
        carts = {cart.cart_id: cart for cart in brute.carts(known, brute.sessions(known, events))}
        of_one_person = {
            (cart_id, customer)
            for cart_id, customer in standing
            if not {step["anonymous_id"] for step in carts[cart_id].steps} & shared
        }
        assert of_one_person == then, day
        seen += len(then)
    assert seen > 50


# Days that are kept and days that are computed anew ---------------------------------------------

KEPT = ("int_events__cleaned", "int_events__sessionized", "int_events__sessions")


OF_EVENTS = (
    *("fct_sessions", "fct_carts", "fct_funnel_daily", "fct_search_terms", "fct_campaign_variants"),
    *("fct_discarded_events", "fct_growth_accounting"),
)


def whole(settings: Settings) -> dict[str, list[str]]:
    """Every mart, and the tables that are kept from run to run."""
    with duckdb.connect(str(settings.build_file), read_only=True) as build:
        kept = {
            table: sorted(map(repr, build.execute(f"from intermediate.{table}").fetchall()))
            for table in KEPT
        }
    return {**contents(settings), **kept}


def copy_of(settings: Settings, folder: Path, **given: Any) -> Settings:
    shutil.copytree(settings.landing, folder / "landing")
    shutil.copytree(settings.warehouse, folder / "warehouse", symlinks=True)
    return landed(folder, {}, **given)


def build_kept(settings: Settings) -> None:
    """Intake, and by dbt the tables that are kept with all that they are made of."""
    take_in(settings, AS_OF)
    dbt(settings, "build", "--select", *(f"+{table}" for table in KEPT))


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Files]:
    files = files_of(RandomShop(seed=4))
    settings = landed(tmp_path_factory.mktemp("at_once"), files)
    return rebuild(settings, as_of=AS_OF), files


def test_days_kept_from_run_to_run_equal_one_build_of_everything(
    at_once: tuple[Settings, Files], tmp_path: Path
) -> None:
    """A file that is replaced, an as_of that goes back and forth, and half of the events late."""
    complete, files = at_once
    wrong = [
        *files["events_2.csv"][::3],
        *as_lines([event("wrong", "page_view", midnight(date(2024, 5, 1)), anonymous_id="k1")]),
    ]
    settings = landed(tmp_path / "kept", {**files, "events_2.csv": wrong})
    (settings.landing / "events_1.csv").unlink()
    past = date(2024, 3, 31)
    rebuild(settings, as_of=AS_OF, marts=OF_EVENTS)
    landed(tmp_path / "kept", files)
    rebuild_by_dbt(settings, as_of=past, marts=OF_EVENTS)
    fresh = rebuild(landed(tmp_path / "fresh", files), as_of=past, marts=OF_EVENTS)
    assert whole(settings) == whole(fresh)
    assert rows(settings, "select max(session_date) from fct_sessions") == [(past,)]
    rebuild_by_dbt(settings, as_of=AS_OF, marts=OF_EVENTS)
    assert whole(settings).items() <= whole(complete).items()


def test_a_run_computes_the_days_that_changed_and_no_others(
    at_once: tuple[Settings, Files], tmp_path: Path
) -> None:
    settings = copy_of(at_once[0], tmp_path)
    late = date(2024, 2, 29)

    def unmarked() -> list[set[date]]:
        """Days with rows that have been computed since they were marked."""
        with duckdb.connect(str(settings.build_file), read_only=True) as build:
            query = "select distinct event_date from intermediate.{} where device <> 'marked'"
            return [{day for (day,) in build.execute(query.format(x)).fetchall()} for x in KEPT]

    with duckdb.connect(str(settings.build_file)) as build:
        for table in KEPT:
            build.execute(f"update intermediate.{table} set device = 'marked'")
    given = {"anonymous_id": "latecomer", "device": "phone"}
    lines = as_lines([event("late", "page_view", midnight(late, hours=3), **given)])
    write_csv(settings.landing / "events_3.csv", lines)
    build_kept(settings)
    assert unmarked() == [{late}] * 3
    settings = copy_of(settings, tmp_path / "slower", session_timeout_minutes=29)
    build_kept(settings)
    with duckdb.connect(str(settings.build_file), read_only=True) as build:
        for table in KEPT:
            query = f"select count(*) from intermediate.{table} where device = 'marked'"
            assert build.execute(query).fetchall() == [(0,)]


# A/B tests --------------------------------------------------------------------------------------

# Visitors and those of them who ordered, by campaign and variant.
TESTS = {
    "many": {"control": (100, 20), "b": (110, 55), "c": (95, 26), "d": (105, 0)},
    "two": {"blue": (60, 6), "red": (61, 12)},
    "uneven": {"a": (100, 10), "b": (58, 12)},
    "nearly uneven": {"a": (100, 10), "b": (60, 12)},
    "alone": {"a": (12, 3)},
    "running": {"a": (10, 3), "b": (10, 4)},
}
STARTED = date(2024, 3, 1)


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, tuple[Any, ...]]:
    """Purchase events name the orders; `running` began 27 days before as_of, the others 28."""
    events, orders = [], []
    for campaign, shown in TESTS.items():
        begin = STARTED + timedelta(days=campaign == "running")
        for variant, (exposed, converted) in shown.items():
            for number in range(exposed):
                who = {"anonymous_id": f"{campaign}-{variant}-{number}"}
                at = midnight(begin, hours=10, seconds=number)
                told_to = {"campaign": campaign, "variant": variant}
                events.append(event(f"t{len(events)}", "campaign_touch", at, **who, **told_to))
                if number < converted:
                    name = f"o{len(orders)}"
                    later = at + timedelta(days=number % 28)
                    orders.append({"order_id": name, "ordered_at": f"{later:%FT%TZ}"})
                    events.append(event(f"p{name}", "purchase", later, order_id=name, **who))
    # Bought a day too late; bought before; saw two variants.
    for name, day, shown_to in (("late", 29, "a0"), ("early", -1, "a1"), ("mixed", 2, "a2")):
        who = {"anonymous_id": shown_to}
        at = midnight(STARTED + timedelta(days=day), hours=10)
        orders.append({"order_id": name, "ordered_at": f"{at:%FT%TZ}"})
        events.append(event(f"p{name}", "purchase", at, order_id=name, **who))
    for number, (who_saw, variant) in enumerate(
        (("a0", "red"), ("a1", "red"), ("a2", "red"), ("a2", "blue"))
    ):
        seen = {"anonymous_id": who_saw, "campaign": "two", "variant": variant}
        at = midnight(STARTED, hours=9)
        events.append(event(f"x{number}", "campaign_touch", at, **seen))
    files = {
        "orders.csv": [{**order, "merchandise_amount": 10} for order in orders],
        "events.csv": as_lines(events),
    }
    settings = landed(tmp_path_factory.mktemp("variants"), files)
    rebuild(settings, as_of=STARTED + timedelta(days=28))
    return by_key(
        settings,
        """
        select campaign, variant, exposed, converted, mixed_visitors, is_control, is_ended,
            is_sample_ratio_off, conversion_rate, conversion_rate_lower, conversion_rate_upper,
            difference, difference_lower, difference_upper, is_different
        from fct_campaign_variants
        """,
        2,
    )


def wilson(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    """The two roots of (p - observed)^2 = z^2 p (1 - p) / n."""
    square = NormalDist().inv_cdf(1 - alpha / 2) ** 2
    observed = successes / trials
    a, b, c = 1 + square / trials, 2 * observed + square / trials, observed**2
    root = sqrt(b * b - 4 * a * c)
    return (b - root) / (2 * a), (b + root) / (2 * a)


def newcombe(one: tuple[int, int], other: tuple[int, int], alpha: float) -> tuple[float, float]:
    """Newcombe 1998, method 10, for one share less the other; (trials, successes) each."""
    (one_trials, one_successes), (other_trials, other_successes) = one, other
    share, other_share = one_successes / one_trials, other_successes / other_trials
    low, high = wilson(one_successes, one_trials, alpha)
    other_low, other_high = wilson(other_successes, other_trials, alpha)
    difference = share - other_share
    below = sqrt((share - low) ** 2 + (other_high - other_share) ** 2)
    above = sqrt((high - share) ** 2 + (other_share - other_low) ** 2)
    return difference - below, difference + above


def test_newcombe_in_the_test_gives_the_published_example() -> None:
    """56 of 70 against 48 of 80: 0.0524 to 0.3339."""
    assert newcombe((70, 56), (80, 48), 0.05) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_visitors_are_of_one_variant_and_convert_between_exposure_and_end(
    variants: dict[Any, tuple[Any, ...]],
) -> None:
    expected = {
        (campaign, variant): counts
        for campaign, shown in TESTS.items()
        for variant, counts in shown.items()
    }
    exposed, converted = expected["two", "red"]
    expected["two", "red"] = (exposed + 2, converted)
    running = {key: pair for key, pair in expected.items() if key[0] == "running"}
    assert {key: figures[:2] for key, figures in variants.items()} == expected
    assert all(variants[key][4] is False for key in running)
    assert {key[0] for key, figures in variants.items() if figures[2]} == {"two"}
    assert variants["two", "blue"][2] == 1


def test_shares_have_wilsons_interval(variants: dict[Any, tuple[Any, ...]]) -> None:
    for (campaign, _), figures in variants.items():
        exposed, converted = figures[:2]
        assert figures[6] == converted / exposed
        if campaign in ("uneven", "running"):
            assert figures[7:9] == (None, None)
        else:
            bounds = wilson(converted, exposed, 0.05)
            assert figures[7:9] == pytest.approx(bounds, abs=1e-8)


def test_differences_have_newcombes_interval_at_holms_level(
    variants: dict[Any, tuple[Any, ...]],
) -> None:
    """In `many`, d is furthest from the control, then b, then c, which is not told apart."""
    shown = TESTS["many"]
    for level, (variant, differs) in enumerate((("d", True), ("b", True), ("c", False))):
        bounds = newcombe(shown[variant], shown["control"], 0.05 / (3 - level))
        figures = variants["many", variant]
        assert figures[10:12] == pytest.approx(bounds, abs=1e-8), variant
        assert figures[12] is differs
    assert variants["many", "control"][9:13] == (None, None, None, None)
    blue, red = (variants["two", name][:2] for name in ("blue", "red"))
    assert variants["two", "red"][10:12] == pytest.approx(newcombe(red, blue, 0.05), abs=1e-8)
    assert variants["two", "red"][12] is False
    assert [key for key, figures in variants.items() if figures[3]] == [
        key for key in variants if key[1] == {"many": "control", "two": "blue"}.get(key[0], "a")
    ]


def test_no_interval_where_visitors_are_spread_unevenly_or_the_test_runs(
    variants: dict[Any, tuple[Any, ...]],
) -> None:
    """For two variants chi-square is the square of a normal: (100 - 58)^2 / 158 against 10.83."""
    limit = NormalDist().inv_cdf(1 - 0.0005) ** 2
    for campaign, shown in TESTS.items():
        counts = [exposed for exposed, _ in shown.values()]
        if len(counts) == 2:
            is_off = (counts[0] - counts[1]) ** 2 / sum(counts) > limit
            assert variants[campaign, min(shown)][5] is is_off, campaign
    for campaign in ("uneven", "running"):
        figures = variants[campaign, "b"]
        assert figures[9] is not None
        assert figures[10:13] == (None, None, None)
    assert variants["nearly uneven", "b"][10] is not None


def test_spend_and_cart_values_without_a_rate_are_an_error(tmp_path: Path) -> None:
    """Not so what comes after as_of, and what has a currency but no value."""
    order = {"order_id": 1, "ordered_at": "2024-03-05", "currency": "EUR"}
    spend = {"channel": "ads", "campaign": "all", "amount": 9}
    given = {"anonymous_id": "a", "value": 1}
    added = [
        event("1", "add_to_cart", datetime(2024, 3, 4), currency="SEK", **given),
        event("2", "add_to_cart", datetime(2024, 3, 3), currency="EUR", **given),
        event("3", "add_to_cart", datetime(2024, 3, 2), currency="DKK", anonymous_id="a"),
    ]
    files = {
        "orders.csv": [order | {"merchandise_amount": 9}],
        "events.csv": as_lines(added),
        "marketing_spend.csv": [
            spend | {"spend_date": date(2024, 3, day), "currency": currency}
            for day, currency in ((1, "EUR"), (5, "NOK"), (6, "USD"))
        ],
    }
    settings = rebuild(landed(tmp_path, files), as_of=date(2024, 3, 5))
    with pytest.raises(CheckFailed) as failed:
        check_orders(settings)
    assert str(failed.value).startswith(
        "no exchange rate from NOK to EUR on 2024-03-05, SEK to EUR on 2024-03-04: deliver it"
    )


def test_a_shop_without_events_has_empty_marts(tmp_path: Path) -> None:
    line = {"order_id": 1, "customer_id": "a", "ordered_at": "2024-01-01", "merchandise_amount": 9}
    settings = rebuild(landed(tmp_path, {"orders.csv": [line]}))
    for mart in (
        *("fct_sessions", "fct_carts", "fct_funnel_daily", "fct_search_terms"),
        *("fct_campaigns", "fct_campaign_variants", "fct_discarded_events"),
    ):
        assert rows(settings, f"select count(*) from {mart}") == [(0,)], mart
