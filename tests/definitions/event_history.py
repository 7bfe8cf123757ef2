"""Sessions, carts, searches and campaigns in plain loops over lists of events."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
TOUCHES = {"email_open", "email_click", "campaign_touch"}
NO_VISITS = TOUCHES | {"user_generated_content", "community_answer", "reference"}
CHECKOUTS = {"checkout_started", "checkout_step"}
STEPS = {"add_to_cart", "remove_from_cart"} | CHECKOUTS
PROGRAMS = ("bot/", "+http", "headless", "python-")  # those that occur in tests

Event = dict[str, Any]


@dataclass(frozen=True)
class Order:
    order_id: str
    customer_id: str | None
    ordered_at: datetime
    net_sales: Decimal
    margin: Decimal


@dataclass
class Shop:
    """What the brute force is given.

    `persons` gives the person of an account or an e-mail address; `orders` are the valid ones.
    """

    events: Sequence[Event]
    orders: Sequence[Order]
    persons: Mapping[str, str]
    zone: ZoneInfo
    as_of: date
    spend: Sequence[tuple[date, str, str, Decimal]] = ()  # day, channel, campaign, amount
    names: Collection[str] = ()  # of customers
    rate: Callable[[str, date], Decimal] = lambda currency, day: Decimal(1)
    timeout: timedelta = timedelta(minutes=30)
    splits_at_midnight: bool = True
    splits_at_campaign: bool = True

    def day(self, moment: datetime) -> date:
        return moment.replace(tzinfo=UTC).astimezone(self.zone).date()

    def latest(self, order: Order) -> datetime:
        """The last moment at which an order can have been placed: midnight stands for a date."""
        second = timedelta(seconds=1)
        if self.day(order.ordered_at - second) < self.day(order.ordered_at):
            return order.ordered_at + DAY - second
        return order.ordered_at


@dataclass
class Session:
    events: list[Event]
    customer: str | None = None
    orders: list[Order] = field(default_factory=list)

    @property
    def session_id(self) -> str:
        return f"files:{self.events[0]['event_id']}"

    def first(self, key: str) -> Any:
        return next((event[key] for event in self.events if event[key]), None)

    def count(self, event_type: str) -> int:
        return sum(event["event_type"] == event_type for event in self.events)


def visitor(event: Event) -> tuple[str, str]:
    for key in ("anonymous_id", "customer_id", "customer_email", "event_id"):
        if event[key]:
            return key, event[key]
    raise AssertionError


def clean(shop: Shop) -> list[Event]:
    """Every event up to as_of, in order, with its day and why it is discarded."""
    events: list[Event] = []
    for event in shop.events:
        if (day := shop.day(event["occurred_at"])) <= shop.as_of:
            events.append({**event, "day": day, "visitor": visitor(event), "reason": None})
    events.sort(key=lambda event: (event["occurred_at"], event["event_id"]))
    last: dict[tuple[Any, ...], datetime] = {}
    for event in events:
        told = {**event, "event_id": None, "occurred_at": None}
        key = tuple(sorted((name, repr(value)) for name, value in told.items()))
        if key in last and event["occurred_at"] - last[key] <= timedelta(seconds=1):
            event["reason"] = "duplicate"
        last[key] = event["occurred_at"]
    by_day: dict[Any, list[Event]] = defaultdict(list)
    for event in events:
        by_day[event["visitor"], event["day"]].append(event)
    for own in by_day.values():
        kept = [event for event in own if not event["reason"]]
        minutes = Counter(event["occurred_at"].strftime("%F %H:%M") for event in kept)
        hours = Counter(event["occurred_at"].strftime("%F %H") for event in kept)
        agents = [(event["user_agent"] or "").lower() for event in own]
        reason = None
        if any(text in agent for agent in agents for text in PROGRAMS):
            reason = "bot_user_agent"
        elif max(minutes.values()) > 60 or max(hours.values()) > 600:
            reason = "bot_rate"
        for event in kept:
            event["reason"] = reason
    return events


def own_person(shop: Shop, event: Event) -> str | None:
    return shop.persons.get(event["customer_id"]) or shop.persons.get(event["customer_email"])


def cookies(shop: Shop, events: Iterable[Event]) -> dict[str, list[tuple[date, str]]]:
    """Who logged in on each cookie, and since when, in order."""
    found: dict[str, dict[str, date]] = defaultdict(dict)
    for event in events:
        if event["anonymous_id"] and (person := own_person(shop, event)):
            found[event["anonymous_id"]].setdefault(person, event["day"])
    return {
        cookie: sorted((day, person) for person, day in persons.items())
        for cookie, persons in found.items()
    }


def sole(values: Iterable[Any]) -> Any:
    """The only value there is, but for None; None where there are several."""
    different = set(values) - {None}
    return different.pop() if len(different) == 1 else None


def sessions(shop: Shop, events: Sequence[Event]) -> list[Session]:
    found: list[Session] = []
    running: dict[Any, Session] = {}
    for event in events:
        if event["reason"] == "duplicate" or event["event_type"] in NO_VISITS:
            continue
        session = running.get(event["visitor"])
        if session:
            before = session.events[-1]
            campaign = session.first("campaign")
            is_over = event["occurred_at"] - before["occurred_at"] > shop.timeout
            is_over |= shop.splits_at_midnight and event["day"] != before["day"]
            if shop.splits_at_campaign and event["campaign"] and campaign:
                is_over |= event["campaign"] != campaign
        if not session or is_over:
            session = running[event["visitor"]] = Session([])
            found.append(session)
        session.events.append(event)
    found = [one for one in found if any(e["event_type"] != "identify" for e in one.events)]
    links = cookies(shop, events)
    for session in found:
        persons = {own_person(shop, event) for event in session.events} - {None}
        linked = links.get(session.events[0]["anonymous_id"], [])
        session.customer = sole(persons or {person for _, person in linked})
    place_orders(shop, found)
    return found


def place_orders(shop: Shop, found: Sequence[Session]) -> None:
    """By those that name it, then its person's; first without those that hold only purchases, which
    leave it to the same visitor's visit of the 24 hours before."""
    of_persons = [session for session in found if not session.first("reason")]
    in_order = sorted(of_persons, key=lambda session: session.events[0]["occurred_at"])
    payments = [one for one in in_order if one.count("purchase") == len(one.events)]
    visits = [one for one in in_order if one.count("purchase") < len(one.events)]
    for order in shop.orders:
        if place_order(shop, visits, order):
            continue
        before = [
            visit
            for payment in payments
            if any(event["order_id"] == order.order_id for event in payment.events)
            for visit in visits
            if visit.events[0]["visitor"] == payment.events[0]["visitor"]
            and visit.events[0]["occurred_at"] < payment.events[0]["occurred_at"]
            and payment.events[0]["occurred_at"] - visit.events[-1]["occurred_at"] <= DAY
        ]
        if before:
            max(before, key=lambda visit: visit.events[0]["occurred_at"]).orders.append(order)
        else:
            place_order(shop, in_order, order)


def place_order(shop: Shop, in_order: Sequence[Session], order: Order) -> bool:
    naming = [
        (event["occurred_at"], event["event_id"], session)
        for session in in_order
        for event in session.events
        if event["event_type"] == "purchase" and event["order_id"] == order.order_id
    ]
    running = [
        session
        for session in in_order
        if order.customer_id
        and session.customer == order.customer_id
        and session.events[0]["occurred_at"] <= shop.latest(order)
        and order.ordered_at <= session.events[-1]["occurred_at"] + shop.timeout
    ]
    if naming:
        min(naming, key=lambda item: item[:2])[2].orders.append(order)
    elif running:
        running[-1].orders.append(order)
    return bool(naming or running)


def purchases_without_order(shop: Shop, session: Session) -> int:
    valid = {order.order_id for order in shop.orders}
    named = [event["order_id"] for event in session.events if event["event_type"] == "purchase"]
    wrong = sum(bool(order_id) and order_id not in valid for order_id in named)
    return wrong + (0 if session.orders else sum(not order_id for order_id in named))


def fct_sessions(shop: Shop, found: Sequence[Session]) -> dict[Any, tuple[Any, ...]]:
    kinds = ("page_view", "product_view", "search", "add_to_cart", "checkout_started")
    return {
        session.session_id: (
            session.customer,
            session.first("channel") or "unknown",
            session.first("campaign"),
            session.first("device") or "unknown",
            re.split("[?#]", session.first("page_url") or "")[0] or None,
            session.first("reason"),
            len(session.events),
            *map(session.count, kinds),
            len(session.orders),
            purchases_without_order(shop, session),
            session.events[0]["day"],
            session.events[0]["occurred_at"],
            session.events[-1]["occurred_at"],
        )
        for session in found
    }


def fct_funnel_daily(shop: Shop, found: Sequence[Session]) -> dict[Any, tuple[int, ...]]:
    cells: dict[Any, list[int]] = defaultdict(lambda: [0] * 6)
    for session in found:
        if session.first("reason"):
            continue
        cell = cells[
            session.events[0]["day"],
            session.first("channel") or "unknown",
            session.first("campaign") or "none",
            session.first("device") or "unknown",
        ]
        cell[0] += 1
        for position, kind in enumerate(("product_view", "add_to_cart", "checkout_started"), 1):
            cell[position] += session.count(kind) > 0
        cell[4] += bool(session.orders)
        cell[5] += purchases_without_order(shop, session)
    return {key: tuple(cell) for key, cell in cells.items()}


def fct_search_terms(shop: Shop, found: Sequence[Session]) -> dict[Any, tuple[int, int, int]]:
    terms: dict[str, list[tuple[Event, Session]]] = defaultdict(list)
    searched: dict[Any, list[tuple[Event, Session]]] = defaultdict(list)
    for session in found:
        for event in session.events:
            term = " ".join((event["search_term"] or "").lower().split())
            if event["event_type"] == "search" and not session.first("reason") and term:
                terms[term].append((event, session))
    for term, searches in terms.items():
        few = len({event["visitor"] for event, _ in searches}) < 3
        named = any(word in shop.names for word in re.findall("[^\\W\\d_]+", term))
        for event, session in searches:
            told_as = "(name)" if few and named else term
            searched[event["day"].replace(day=1), told_as].append((event, session))
    result = {}
    for key, searches in searched.items():
        orders = {
            order.order_id
            for event, session in searches
            for order in shop.orders
            if event["occurred_at"] <= shop.latest(order)
            and order.ordered_at <= event["occurred_at"] + DAY
            and (
                (session.customer and order.customer_id == session.customer)
                or any(
                    order in other.orders
                    for other in found
                    if other.events[0]["visitor"] == event["visitor"]
                )
            )
        }
        without = sum(event["search_results"] == 0 for event, _ in searches)
        result[key] = (len(searches), without, len(orders))
    return result


@dataclass
class Cart:
    cart_id: str
    steps: list[Event] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)


def carts(shop: Shop, found: Sequence[Session]) -> list[Cart]:
    """Those into which something was put."""
    named: dict[str, Cart] = {}
    nameless: list[Cart] = []
    valid = {order.order_id for order in shop.orders}
    by_visitor: dict[Any, list[tuple[datetime, bool, str, Event | None, Session]]] = defaultdict(
        list
    )
    for session in found:
        own = by_visitor[session.events[0]["visitor"]]
        for order in session.orders:
            own.append((shop.latest(order), True, "", None, session))
        if session.first("reason"):
            continue
        for event in session.events:
            at = event["occurred_at"]
            if event["event_type"] == "purchase" and event["order_id"] in valid:
                own.append((at, True, event["event_id"], None, session))
            elif event["event_type"] in STEPS and not event["cart_id"]:
                own.append((at, False, event["event_id"], event, session))
            elif event["event_type"] in STEPS:
                key = f"files:cart:{event['cart_id']}"
                cart = named.setdefault(key, Cart(key))
                cart.steps.append(event)
                cart.sessions.append(session)
    for happenings in by_visitor.values():
        open_cart: Cart | None = None
        for at, is_order, event_id, event, session in sorted(happenings, key=lambda item: item[:3]):
            if is_order or event is None:
                open_cart = None
                continue
            if open_cart is None or at - open_cart.steps[-1]["occurred_at"] > 30 * DAY:
                open_cart = Cart(f"files:visitor:{event_id}")
                nameless.append(open_cart)
            open_cart.steps.append(event)
            open_cart.sessions.append(session)
    for cart in named.values():
        cart.steps.sort(key=lambda event: (event["occurred_at"], event["event_id"]))
    return [
        cart
        for cart in (*named.values(), *nameless)
        if any(step["event_type"] == "add_to_cart" for step in cart.steps)
    ]


def orders_of_pause(
    shop: Shop, found: Sequence[Session], cart: Cart, last: int, customer: str | None
) -> list[Order]:
    """Orders between what was put in last and 24 hours after the step number `last`, first those
    named together with the cart."""
    steps = cart.steps[: last + 1]
    begin = max(step["occurred_at"] for step in steps if step["event_type"] == "add_to_cart")
    end = steps[-1]["occurred_at"] + DAY
    valid = {order.order_id: order for order in shop.orders}
    named = sorted(
        (
            f"files:cart:{event['cart_id']}" != cart.cart_id,
            event["occurred_at"],
            event["order_id"],
        )
        for session in found
        for event in session.events
        if event["event_type"] == "purchase"
        and not session.first("reason")
        and event["order_id"] in valid
        and begin <= event["occurred_at"] <= end
        and (
            event["visitor"] == steps[-1]["visitor"]
            or f"files:cart:{event['cart_id']}" == cart.cart_id
        )
    )
    placed = sorted(
        (True, order.ordered_at, order.order_id)
        for order in shop.orders
        if customer
        and order.customer_id == customer
        and begin <= shop.latest(order)
        and order.ordered_at <= end
    )
    return [valid[order_id] for *_, order_id in (*named, *placed)]


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def cart_value(shop: Shop, cart: Cart) -> Decimal | None:
    left, checkouts, is_whole = Decimal(0), [], True
    for step in cart.steps:
        if step["value"] is None:
            is_whole &= step["event_type"] in CHECKOUTS
            continue
        amount = step["value"] * shop.rate(step["currency"] or "EUR", step["day"])
        if step["event_type"] in CHECKOUTS:
            checkouts.append(amount)
        else:
            left += amount if step["event_type"] == "add_to_cart" else -amount
    if is_whole:
        return cents(max(left, Decimal(0)))
    return cents(checkouts[-1]) if checkouts else None


def fct_carts(shop: Shop, found: Sequence[Session]) -> dict[str, tuple[Any, ...]]:
    result = {}
    claims: dict[str, list[tuple[bool, datetime, str]]] = defaultdict(list)
    named = {
        (event["order_id"], f"files:cart:{event['cart_id']}")
        for session in found
        for event in session.events
        if event["event_type"] == "purchase" and not session.first("reason")
    }
    for cart in carts(shop, found):
        customer = sole(session.customer for session in cart.sessions)
        orders = orders_of_pause(shop, found, cart, len(cart.steps) - 1, customer)
        last_at = cart.steps[-1]["occurred_at"]
        abandoned_on = shop.day(last_at + DAY)
        kinds = {step["event_type"] for step in cart.steps}
        status = "open" if abandoned_on > shop.as_of else "abandoned"
        if orders:
            name = orders[0].order_id
            added = [s["occurred_at"] for s in cart.steps if s["event_type"] == "add_to_cart"]
            claims[name].append(((name, cart.cart_id) in named, max(added), cart.cart_id))
        result[cart.cart_id] = (
            customer,
            orders[0].order_id if orders else None,
            "ordered" if orders else status,
            "order" if orders else "checkout" if kinds & CHECKOUTS else "cart",
            cart_value(shop, cart),
            abandoned_on if not orders and status == "abandoned" else None,
            cart.steps[0]["occurred_at"],
            last_at,
        )
    for claiming in claims.values():
        for *_, cart_id in sorted(claiming)[:-1]:
            customer, _, *others = result[cart_id]
            result[cart_id] = (customer, None, *others)
    return result


def abandoned_as_seen_then(
    shop: Shop, day: date, found: Sequence[Session], events: Sequence[Event]
) -> set[tuple[str, str]]:
    """Cart and person of what had been abandoned and not resumed on the evening of a day.

    For a shop that knows nothing after that day: `day` is its as_of.
    """
    assert day == shop.as_of
    links = cookies(shop, events)
    standing = set()
    for cart in carts(shop, found):
        if shop.day(cart.steps[-1]["occurred_at"] + DAY) > day:
            continue
        customer = sole(session.customer for session in cart.sessions)
        shared = any(len(links.get(step["anonymous_id"], [])) > 1 for step in cart.steps)
        orders = orders_of_pause(shop, found, cart, len(cart.steps) - 1, customer)
        if customer and not shared and not orders:
            standing.add((cart.cart_id, customer))
    return standing


# Campaigns


@dataclass(frozen=True)
class Touch:
    at: datetime
    touch_id: str
    day: date
    kind: str
    campaign: str
    channel: str
    customer: str | None


def touches(shop: Shop, events: Sequence[Event], found: Sequence[Session]) -> list[Touch]:
    links = cookies(shop, events)
    whole = {
        channel
        for day, channel, campaign, _ in shop.spend
        if campaign == "all" and day <= shop.as_of
    }
    result = []

    def touch(head: Event, kind: str, campaign: Any, channel: Any, customer: Any) -> None:
        if not campaign and channel in whole:
            campaign = f"{channel} (all)"
        if campaign:
            key = f"files:{head['event_id']}"
            channel = channel or "unknown"
            result.append(
                Touch(head["occurred_at"], key, head["day"], kind, campaign, channel, customer)
            )

    for session in found:
        if not session.first("reason"):
            touch(
                session.events[0],
                "session",
                session.first("campaign"),
                session.first("channel"),
                session.customer,
            )
    for event in events:
        is_test = event["event_type"] == "campaign_touch" and event["variant"]
        if event["event_type"] in TOUCHES - {"email_open"} and not is_test and not event["reason"]:
            linked = sole(person for _, person in links.get(event["anonymous_id"], []))
            customer = own_person(shop, event) or linked
            touch(event, "touch", event["campaign"], event["channel"], customer)
    return result


def fct_campaigns(
    shop: Shop, events: Sequence[Event], found: Sequence[Session]
) -> dict[tuple[str, date], tuple[Any, ...]]:
    all_touches = touches(shop, events, found)
    by_customer: dict[str, list[Order]] = defaultdict(list)
    for order in shop.orders:
        if order.customer_id:
            by_customer[order.customer_id].append(order)
    first: dict[Any, list[str]] = defaultdict(list)
    last: dict[Any, list[str]] = defaultdict(list)
    for customer, orders in by_customer.items():
        orders.sort(key=lambda order: (order.ordered_at, order.order_id))
        bought_on = shop.day(orders[0].ordered_at)
        own = {one.session_id for one in found if orders[0] in one.orders}
        before = sorted(
            (touch.at, touch.touch_id, touch)
            for touch in all_touches
            if touch.touch_id in own
            or (touch.customer == customer and touch.at <= shop.latest(orders[0]))
        )
        month = bought_on.replace(day=1)
        if recent := [touch for *_, touch in before if bought_on - touch.day <= 90 * DAY]:
            first[recent[0].campaign, month].append(customer)
        if recent := [touch for *_, touch in before if bought_on - touch.day <= 30 * DAY]:
            last[recent[-1].campaign, month].append(customer)
    spend: dict[Any, Decimal] = defaultdict(Decimal)
    for day, channel, campaign, amount in shop.spend:
        if day <= shop.as_of:
            name = f"{channel} (all)" if campaign == "all" else campaign
            spend[name, day.replace(day=1)] += amount
    visits = Counter(
        (touch.campaign, touch.day.replace(day=1))
        for touch in all_touches
        if touch.kind == "session"
    )

    def value(customers: Sequence[str], days: int, amount: str) -> tuple[int, float | None]:
        sums = []
        for customer in customers:
            begin = shop.day(by_customer[customer][0].ordered_at)
            if begin + days * DAY <= shop.as_of:
                sums.append(
                    sum(
                        getattr(order, amount)
                        for order in by_customer[customer]
                        if shop.day(order.ordered_at) <= begin + days * DAY
                    )
                )
        return len(sums), float(sum(sums)) / len(sums) if sums else None

    def payback(customers: Sequence[str], month: date, amount: Decimal) -> int | None:
        for since in range(60):
            later = (month.year * 12 + month.month - 1) + since
            margin = sum(
                order.margin
                for customer in customers
                for order in by_customer[customer]
                if (day := shop.day(order.ordered_at)).year * 12 + day.month - 1 <= later
            )
            if customers and margin >= amount > 0:
                return since
        return None

    result = {}
    for key in {*spend, *visits, *first, *last}:
        customers, amount = last[key], spend.get(key)
        mature_90, ltv_90 = value(customers, 90, "net_sales")
        mature_365, ltv_365 = value(customers, 365, "net_sales")
        _, margin = value(customers, 365, "margin")
        cac = float(amount) / len(customers) if amount and customers else None
        result[key] = (
            None if amount is None else float(amount),
            visits[key],
            len(first[key]),
            len(customers),
            mature_90,
            mature_365,
            cac,
            ltv_90,
            ltv_365,
            margin / cac if margin is not None and cac else None,
            payback(customers, key[1], amount) if amount else None,
        )
    return result


def exposures(
    shop: Shop, events: Sequence[Event], found: Sequence[Session], length: timedelta
) -> tuple[dict[Any, tuple[int, int]], dict[str, int]]:
    """Exposed and converted visitors by campaign and variant; visitors of several, by campaign."""
    links = cookies(shop, events)
    shown: dict[str, dict[Any, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event["campaign"] and event["variant"] and not event["reason"]:
            shown[event["campaign"]][event["visitor"]].append(event)
    counts: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    mixed: dict[str, int] = Counter()
    for campaign, visitors in shown.items():
        end = min(event["day"] for own in visitors.values() for event in own) + length
        for who, seen in visitors.items():
            own = [event for event in seen if event["day"] <= end]
            if len({event["variant"] for event in own}) > 1:
                mixed[campaign] += 1
            elif own:
                person = (
                    sole(person for _, person in links.get(own[0]["anonymous_id"], []))
                    if own[0]["anonymous_id"]
                    else own_person(shop, own[0])
                )
                ordered = [
                    order
                    for order in shop.orders
                    if shop.latest(order) >= own[0]["occurred_at"]
                    and shop.day(order.ordered_at) <= end
                    and (
                        (person and order.customer_id == person)
                        or any(
                            order in session.orders
                            for session in found
                            if session.events[0]["visitor"] == who
                        )
                    )
                ]
                counts[campaign, own[0]["variant"]][0] += 1
                counts[campaign, own[0]["variant"]][1] += bool(ordered)
    return {key: (seen, bought) for key, (seen, bought) in counts.items()}, mixed
