"""The planted persons and identity traps as columns, in the shape of a simulated chunk."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from dagster_project.lib.demo.advocates import WORDS, Advocates, Invitation
from dagster_project.lib.demo.cast import BURST, FIRST_PERSON, Cast, Fact, Planted
from dagster_project.lib.demo.referrals import COUNTED_AFTER, NO_ORDER
from dagster_project.lib.demo.respondents import MENSWEAR, WOMENSWEAR, Respondents
from dagster_project.lib.demo.stages import ACCOUNT, GUEST, NOBODY, VISITOR
from dagster_project.lib.demo.world import CAMPAIGNS, CATEGORIES, TIERS, World, name_pools

Row = dict[str, Any]
FIRST_TRAP = FIRST_PERSON + 10_000_000  # accounts C810000000 and so on
FIRST_ORDER = FIRST_INVITE = 8_000_000_000
PERIOD = -1  # of the files of what is planted
FILE = "events_planted.parquet"
COMPANY_ACCOUNTS, PLACEHOLDER_ACCOUNTS, COUNTER_EMAILS = 30, 8, 11
HOUR = 3600
# hour of the day at which a fact happens
HOURS = {"account": 9, "visit": 10, "cart": 11, "order": 12}
# promised and delivered so many days after the order
PARCELS = {"late": (3, 9), "lost": (3, None), "delayed": (3, 6)}
ANSWERS = ("motive", "interest", "channel", "persona")
PRODUCT = 7  # of its category, which is the first one where a fact names none
# products that only planted persons buy
PRODUCTS = {MENSWEAR: len(CATEGORIES) * TIERS, WOMENSWEAR: len(CATEGORIES) * TIERS + 1}
PHONE = 2  # EUR; what is cheaper is ordered by phone, so without a visit
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Demo/1.0"

# between the first two accounts of a trap, and why the referral is rejected
TRAPPED = {
    "spelled": "self-referral",
    "mates": "same household",
    "colleagues": "",
    "counter": "unknown referrer",
}
HALF_A_YEAR = 180  # days; no threshold is later

EVENTS = pa.schema(
    [
        ("event_no", pa.string()),
        ("moment", pa.int64()),
        ("kind", pa.string()),
        ("person", pa.int64()),
        *((name, pa.string()) for name in ("visitor_cookie", "account", "contact_email")),
        *((name, pa.string()) for name in ("basket_no", "order_no", "sku", "url", "referrer")),
        *((name, pa.string()) for name in ("source", "campaign", "variant", "device")),
        *((name, pa.string()) for name in ("user_agent", "query")),
        *((name, pa.int64()) for name in ("hits", "pieces", "amount")),
        *((name, pa.bool_()) for name in ("is_gbp", "is_bot", "is_repeated")),
        ("file_period", pa.int64()),
    ]
)

SOLD = pa.schema(
    [
        *((n, pa.int64()) for n in ("order_index", "order_number", "person", "day", "placed")),
        ("changed", pa.int64()),
        *((n, pa.string()) for n in ("state", "reason")),
        *((n, pa.bool_()) for n in ("is_valid", "has_account", "is_as_guest")),
        ("spelling", pa.int64()),
        ("uses_second_account", pa.bool_()),
        ("is_gbp", pa.bool_()),
        *((n, pa.string()) for n in ("country", "shop_channel", "device", "utm_source")),
        *((n, pa.string()) for n in ("campaign", "coupon")),
        *((n, pa.int64()) for n in ("value", "goods", "goods_gross", "coupon_amount", "shipping")),
        *((n, pa.int64()) for n in ("tax", "tip", "period")),
        ("first_state", pa.string()),
        ("first_changed", pa.int64()),
        ("again_state", pa.string()),
        ("again_changed", pa.int64()),
        ("is_repeated", pa.bool_()),
    ]
)


class Planting:
    """What is planted into a shop; `tables` are those of a chunk, filled with it alone."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cast = Cast(world)
        self.advocates = Advocates(world)
        self.respondents = Respondents(world)
        planted = [*self.cast.persons, *self.advocates.persons, *self.respondents.persons]
        self.persons = planted if self.cast.persons else []
        self.events: list[Row] = []
        self.signals: dict[str, list[Row]] = {"shipped": [], "reviewed": []}
        self.signals |= {"surveyed": [], "asked": []}
        self.refunds: list[Row] = []
        self.stated: list[Row] = []
        self.accounts: list[Row] = []
        self.trap_day = self.cast.first_month + timedelta(days=3)
        self.trapped: dict[str, list[int]] = {}
        self.referrals: list[Row] = []
        self.pairs: list[Row] = []
        self.notes: list[tuple[str, str, str, str]] = []
        self.sold: list[tuple[Planted, Fact]] = [
            (person, order) for person in self.persons for order in person.orders
        ]
        for person in self.cast.persons:
            self._live(person)
        if self.cast.persons:
            self._trap()
            for person in self.advocates.persons:
                self._live(person)
            self._invite()
            for person in self.respondents.persons:
                self._live(person)

    # the cast

    def moment(self, day: date, hour: float) -> int:
        index = (day - self.world.first_day).days
        return int(self.world.utc(np.array([index]), np.array([round(hour * HOUR)]))[0])

    def _live(self, person: Planted) -> None:
        order = None
        for fact in person.facts:
            # A voucher sent by post has a link that names those who have no account yet.
            known = has_account(person, fact.day) != (fact.what == "visit")
            account = account_of(person.person) if known else None
            cookie = cookie_of(person.person, 0)
            at = self.moment(fact.day, HOURS.get(fact.what, 15))
            if fact.what == "order":
                order = self.sold.index((person, fact))
                self._order_visits(person, fact, order, at, account)
            elif fact.what == "account":
                self._event("register", at, person.person, cookie, account)
            elif fact.what == "visit":
                self._event(
                    "view_page", at, person.person, cookie, account, url="/", source="direct"
                )
            elif fact.what == "touch":
                link: Row = {"source": fact.word, "campaign": CAMPAIGNS[fact.word][0]}
                self._event("view_page", at, person.person, cookie, account, url="/", **link)
            elif fact.what in ANSWERS:
                said = {"person": person.person, "attribute": fact.what, "answer": fact.word}
                self.stated.append(said | {"origin": "profile", "answered": at})
            elif fact.what in WORDS:
                own = None if fact.what == "case_study" else cookie
                self._event(fact.what, at, person.person, own, account, sku="P0007")
            elif fact.what == "cart":
                cart: Row = {"basket_no": f"BP{person.person}{fact.day:%y%m%d}", "sku": "P0007"}
                self._event("view_product", at - 120, person.person, cookie, account, sku="P0007")
                self._event(
                    "basket_add", at, person.person, cookie, account, **cart, pieces=1, amount=1900
                )
            else:
                self._signal(person, fact, order, at)

    def _order_visits(
        self, person: Planted, fact: Fact, order: int, at: int, account: str | None
    ) -> None:
        if (fact.size or BURST) < PHONE:
            return
        number, cookie = person.person, cookie_of(person.person, 0)
        is_burst = (fact.size or 0) > BURST and not fact.word
        for more in range(5 if is_burst else 0):
            self._event("view_page", at + (more + 1) * HOUR, number, cookie, account, url="/")
        cart: Row = {"basket_no": f"BP{FIRST_ORDER + order}"}
        cents = value_of(fact)
        self._event("view_page", at - 600, number, cookie, account, url="/", source="direct")
        self._event(
            *("basket_add", at - 300, number, cookie, account),
            **cart,
            sku=f"P{product_of(fact):04d}",
            pieces=1,
            amount=cents,
        )
        self._event("checkout", at - 120, number, cookie, account, **cart, url="/checkout")
        order_no = f"D{FIRST_ORDER + order:010d}"
        cart |= {"order_no": order_no, "contact_email": None if account else email_of(number)}
        self._event("order", at, number, cookie, account, **cart, amount=cents)

    def _signal(self, person: Planted, fact: Fact, order: int | None, at: int) -> None:
        score = int(fact.size or 0)
        about = {"order_index": -1 if order is None else order, "person": person.person}
        if fact.what in PARCELS:
            promised, delivered = PARCELS[fact.what]
            index = (fact.day - self.world.first_day).days
            arrived = delivered and self.moment(fact.day + timedelta(days=delivered), 14)
            row = {"carrier": "north", "cost": 390, "promised": index + promised}
            row |= {"shipped": at + 20 * HOUR, "delivered": arrived or 0}
            self.signals["shipped"].append(about | row)
        elif fact.what == "rating":
            self._review(about, about["order_index"], score, at)
        elif fact.what == "twice":
            for index in (about["order_index"] - 1, about["order_index"]):
                self._review(about | {"order_index": index}, about["order_index"], score, at)
        elif fact.what == "ticket":
            row = {"topic": "product", "score": score, "opened": at, "closed": at + HOUR}
            self.signals["asked"].append(about | row)
        elif fact.what == "defect":
            row = {"line": 1, "refund": value_of(self.sold[order or 0][1]), "refunded": at}
            self.refunds.append(about | row)
        else:
            row = {"survey": fact.what, "score": score, "sent": at - HOUR, "answered": at}
            self.signals["surveyed"].append(about | row)

    def _review(self, about: Row, named_after: int, stars: int, at: int) -> None:
        row = {"line": 1, "named_after": named_after, "stars": stars, "written": at}
        self.signals["reviewed"].append(about | row)

    def _event(
        self,
        kind: str,
        moment: int,
        person: int,
        cookie: str | None,
        account: str | None,
        **more: Any,
    ) -> None:
        self.events.append(
            {
                "event_no": f"EP{len(self.events):09d}",
                "moment": moment,
                "kind": kind,
                "person": person,
                "visitor_cookie": cookie,
                "account": account,
                "device": "desktop",
                "user_agent": BROWSER,
                "is_gbp": False,
                "is_bot": False,
                "is_repeated": False,
                "file_period": PERIOD,
                **more,
            }
        )

    # the identity traps

    def _trap(self) -> None:
        """Accounts without orders: who looks like one person and is, and who is not."""
        start = self.trap_day
        spelled = self._open(["Spelled.Twice@Example.com", " spelled.twice@example.com "], start)
        self.trapped |= {"spelled": spelled}
        self._pairs(spelled, True, "one address in two spellings")
        merged = self._open(["merged@example.com", "merged.before@example.com"], start)
        self.accounts.append({**self.accounts[-1], "email": "merged@example.com", "is_late": True})
        self._pairs(merged, True, "the second account got the first one's address later")
        mates = self._open(["mate.one@example.com", "mate.two@example.com"], start)
        for hour, mate in enumerate(mates):
            at = self.moment(start + timedelta(days=2), 19 + hour)
            self._event("view_page", at, mate, cookie_of(mates[0], 9), account_of(mate), url="/")
        self.trapped |= {"mates": mates}
        self._pairs(mates, False, "two persons on a household's device")
        colleagues = self._open(["office@company.example"] * COMPANY_ACCOUNTS, start)
        for nth, colleague in enumerate(colleagues):
            at = self.moment(start + timedelta(days=nth), 11)
            office = cookie_of(colleagues[0], 9)
            self._event("view_page", at, colleague, office, account_of(colleague), url="/")
        self.trapped |= {"colleagues": colleagues}
        self._pairs(colleagues, False, "a company's address and device")
        strangers = self._open(["noemail@example.com"] * PLACEHOLDER_ACCOUNTS, start)
        self._pairs(strangers, False, "a placeholder for an address")
        (roamer,) = self._open(["roamer@example.com"], start)
        for device in (1, 2):
            cookie = cookie_of(roamer, device)
            at = self.moment(start + timedelta(days=device), 20)
            self._event("view_page", at, roamer, cookie, account_of(roamer), url="/")
            self._pair("cookie", cookie, "account", account_of(roamer), True, "another device")
        (late,) = self._open(["came.later@example.com"], start + timedelta(days=5))
        self._event("view_page", self.moment(start, 20), late, cookie_of(late, 0), None, url="/")
        self._pair(
            *("cookie", cookie_of(late, 0), "account", account_of(late), True),
            "visits before the account was opened on the same device",
        )
        self._long_visits(start, roamer)
        (counter,) = self._open(["counter@example.com"], start)
        for reader in self.advocates.persons[:COUNTER_EMAILS]:
            letter: Row = {"contact_email": email_of(reader.person), "campaign": "newsletter"}
            at = self.moment(reader.facts[0].day + timedelta(days=60), 8)
            self._event("mail_open", at, counter, None, account_of(counter), **letter)
        self.notes.append(("account_of_nobody", FILE, account_of(counter), "reads all mail"))
        self.trapped["counter"] = [counter, roamer]

    def _long_visits(self, start: date, roamer: int) -> None:
        night, change = cookie_of(roamer, 3), cookie_of(roamer, 4)
        for minute in (-10, -4, 3, 11):
            at = self.moment(start + timedelta(days=8), 0) + minute * 60
            self._event("view_page", at, roamer, night, None, url="/")
        self.notes.append(("visit_across_midnight", FILE, night, "21 minutes, two days"))
        for minute, campaign in enumerate(("social-film", "social-photo")):
            at = self.moment(start + timedelta(days=9), 18) + 300 * minute
            touch = {"source": "social", "campaign": campaign}
            self._event("ad_touch", at, roamer, change, None, **touch)
            self._event("view_page", at + 5, roamer, change, None, url="/", **touch)
        self.notes.append(("campaign_change", FILE, change, "social-film, then social-photo"))

    def _open(self, emails: list[str], day: date) -> list[int]:
        """Opens an account for each address, on a device of its own."""
        opened = []
        for hour, email in enumerate(emails):
            person = FIRST_TRAP + sum(not account["is_late"] for account in self.accounts)
            at = self.moment(day, 8 + hour / 4)
            account = {"person": person, "email": email, "registered": at, "is_late": False}
            self.accounts.append(account)
            self._event("register", at, person, cookie_of(person, 0), account_of(person))
            opened.append(person)
        return opened

    def _pairs(self, persons: list[int], is_same: bool, why: str) -> None:
        for other in persons[1:]:
            names = ("account", account_of(persons[0]), "account", account_of(other))
            self._pair(*names, is_same, why)

    def _pair(self, *values: Any) -> None:
        names = ("left_type", "left_id", "right_type", "right_id", "is_same_person", "why")
        self.pairs.append(dict(zip(names, values, strict=True)))

    # the referrals

    def _invite(self) -> None:
        """Those of the stories, and some between the trapped accounts."""
        generation = self.advocates.generations()
        for invitation in self.advocates.invitations:
            referrer, referred = invitation.inviter, invitation.friend
            self._referral(invitation, referrer, referred, generation.get(referrer, 0))
        for story, reason in TRAPPED.items():
            inviter, friend, *_ = self.trapped[story]
            invitation = Invitation(inviter, friend, True, False, self.trap_day, 20, reason)
            referrer = NOBODY if reason == "unknown referrer" else inviter
            self._referral(invitation, referrer, inviter if story == "spelled" else friend, 0)

    def _referral(
        self, invitation: Invitation, referrer: int, referred: int | None, generation: int
    ) -> None:
        orders = (n for n, (person, _) in enumerate(self.sold) if person.person == referred)
        first, counted, is_valid = next(orders, NO_ORDER), 0, not invitation.reason
        if first != NO_ORDER:
            bought = self.moment(self.sold[first][1].day, HOURS["order"])
            counted = bought + COUNTED_AFTER if bought + COUNTED_AFTER <= self.world.end else 0
        self.referrals.append(
            {
                "invite": FIRST_INVITE + len(self.referrals),
                "inviter": invitation.inviter,
                "friend": NOBODY if invitation.friend is None else invitation.friend,
                "is_known_by_account": invitation.is_known_by_account,
                "is_known_by_email": invitation.is_known_by_email,
                "sent": self.moment(invitation.day, invitation.hour),
                "counted": counted,
                "is_gbp": False,
                "first_order": FIRST_ORDER + first if first >= 0 and is_valid else NO_ORDER,
                "referrer": referrer,
                "referred": NOBODY if referred is None else referred,
                "reason": invitation.reason,
                "generation": generation + 1 if is_valid else 0,
                "is_planted": True,
            }
        )

    # as tables

    def tables(self) -> dict[str, pa.Table]:
        """The planted persons in the shape of a simulated chunk."""
        return {
            "people": pa.Table.from_pylist(list(self._people())),
            "sold": pa.Table.from_pylist(list(self._orders())).cast(SOLD),
            "items": pa.Table.from_pylist([self._line(n) for n in range(len(self.sold))]),
            "paid": pa.Table.from_pylist([self._payment(n) for n in range(len(self.sold))]),
            "refunded": pa.Table.from_pylist(
                [{**row, "why": "defect", "is_detached": False} for row in self.refunds]
            ),
            "events": pa.Table.from_pylist(self.events, schema=EVENTS),
            "accounts": pa.Table.from_pylist(self.accounts),
            "invited": pa.Table.from_pylist(self.referrals),
            "stated": pa.Table.from_pylist(self.stated),
            "products": pa.Table.from_pylist(
                [
                    {"number": number, "title": name.title(), "category": name, "price": 5.0}
                    for name, number in PRODUCTS.items()
                ]
            ),
            **{name: pa.Table.from_pylist(rows) for name, rows in self.signals.items()},
        }

    def _people(self) -> Iterable[Row]:
        given, family = name_pools()
        for nth, person in enumerate(self.persons):
            registered = registered_on(person)
            holder = ACCOUNT if person.orders else VISITOR
            yield {
                "person": person.person,
                "kind": holder if registered else GUEST,
                "channel": "organic_search",
                "country": "DE",
                "language": "de",
                "is_gbp": False,
                "given_name": given[nth],
                "family_name": family[nth],
                "is_nameless": False,
                "host": "com",
                "newsletter": False,
                "is_discount_seeker": False,
                "purchase_rate": None,
                "drop_out_chance": None,
                "mean_value": None,
                "registered": self.moment(registered or person.facts[0].day, HOURS["account"]),
                "is_shared": False,
                "second_registered": self.world.end + 1,
                "purchases": len(person.orders),
                "dropped_day": -1,
            }

    def _orders(self) -> Iterable[Row]:
        for index, (person, fact) in enumerate(self.sold):
            placed = self.moment(fact.day, HOURS["order"])
            value = value_of(fact)
            is_phone = (fact.size or BURST) < PHONE
            is_known = has_account(person, fact.day)
            yield {
                "order_index": index,
                "order_number": FIRST_ORDER + index,
                "person": person.person,
                "day": (fact.day - self.world.first_day).days,
                "placed": placed,
                "changed": placed,
                "state": "complete",
                "reason": "",
                "is_valid": True,
                "has_account": is_known,
                "is_as_guest": not is_known and registered_on(person) is not None,
                "spelling": 0,
                "uses_second_account": False,
                "is_gbp": False,
                "country": "DE",
                "shop_channel": "phone" if is_phone else "web",
                "device": None if is_phone else "desktop",
                "utm_source": "direct",
                "campaign": None,
                "coupon": None,
                "value": value,
                "goods": value,
                "goods_gross": value,
                "coupon_amount": 0,
                "shipping": 0,
                "tax": (value * 19 + 50) // 100,
                "tip": 0,
                "period": PERIOD,
                "first_state": "complete",
                "first_changed": placed,
                "again_state": None,
                "again_changed": 0,
                "is_repeated": False,
            }

    def _line(self, index: int) -> Row:
        fact = self.sold[index][1]
        row = {"order_index": index, "line": 1, "product": product_of(fact), "kind": "goods"}
        return row | {"quantity": 1, "price": value_of(fact), "discount": 0}

    def _payment(self, index: int) -> Row:
        _, fact = self.sold[index]
        total = value_of(fact) + (value_of(fact) * 19 + 50) // 100
        paid = self.moment(fact.day, HOURS["order"]) + 60
        return {
            "order_index": index,
            "part": 1,
            "method": "card",
            "amount": total,
            "fee": total * 14 // 1000 + 25,
            "paid": paid,
        }

    def steps(self) -> list[Row]:
        """What must follow for each person, change by change; those after the end left out."""
        rows = []
        for person in self.cast.persons:
            before = None
            for nth, step in enumerate(person.steps, start=1):
                if step.day and step.day > self.world.last_day:
                    break
                rows.append(
                    {
                        "customer_id": account_of(person.person),
                        "story": person.story,
                        "step": nth,
                        "transition_date": step.day,
                        "silent_since": step.anchor,
                        "threshold": step.reason.removeprefix("silent_") if step.anchor else None,
                        "purchase_number": sum(o.day <= step.anchor for o in person.orders)
                        if step.anchor
                        else None,
                        "from_stage": before and before.stage,
                        "from_segment": before and before.segment,
                        "to_stage": step.stage,
                        "to_segment": step.segment,
                        "reason": step.reason,
                    }
                )
                before = step
        return rows

    def states(self) -> list[Row]:
        """Days on which a person's state does not hang on an estimate: those of dated changes, the
        last one before them, and half a year and a day after the last purchase."""
        rows = []
        for person in self.cast.persons:
            for step, after in zip(person.steps, [*person.steps[1:], None], strict=True):
                days = [step.day]
                if after and after.day:
                    days.append(after.day - timedelta(days=1))
                elif step.anchor and not after:
                    days.append(step.anchor + timedelta(days=HALF_A_YEAR + 1))
                for day in sorted({day for day in days if day}):
                    if day <= self.world.last_day:
                        row = {"customer_id": account_of(person.person), "date": day}
                        rows.append(row | {"stage": step.stage, "segment": step.segment})
        return rows

    def advocacy(self) -> list[Row]:
        """What the advocates must be at the end of the history."""
        return [
            {
                "customer_id": account_of(outcome.person),
                "story": outcome.story,
                "advocacy_tier": outcome.tier,
                "advocacy_quadrant": outcome.quadrant,
                "is_locked_in": outcome.quadrant == "locked_in",
                "score": outcome.score,
            }
            for outcome in self.advocates.outcomes
        ]

    def preferences(self) -> list[Row]:
        """What is to be known of the respondents at the end of the history."""
        return [
            {
                "customer_id": account_of(preference.person),
                "story": preference.story,
                "attribute": preference.attribute,
                "value": preference.value,
                "source": preference.source,
            }
            for preference in self.respondents.preferences
        ]

    def questions(self) -> list[Row]:
        """What is to be asked of the respondents, and of nobody else among them."""
        return [
            {
                "customer_id": account_of(question.person),
                "story": question.story,
                "question": question.question,
                "attribute": question.attribute,
                "usual": question.usual,
                "observed": question.observed,
                "raised_date": question.raised,
                "closed_date": question.closed,
                "closed_because": question.closed_because,
            }
            for question in self.respondents.questions
        ]


def registered_on(person: Planted) -> date | None:
    """None of a guest."""
    return next((fact.day for fact in person.facts if fact.what == "account"), None)


def has_account(person: Planted, day: date) -> bool:
    registered = registered_on(person)
    return registered is not None and registered <= day


def value_of(order: Fact) -> int:
    """In cents; of an order without a size, 5 EUR."""
    return round(100 * (order.size or 5))


def product_of(order: Fact) -> int:
    if order.word in PRODUCTS:
        return PRODUCTS[order.word]
    return (CATEGORIES.index(order.word) * TIERS if order.word else 0) + PRODUCT


def account_of(person: int) -> str:
    return f"C{person + 1:09d}"


def email_of(person: int) -> str:
    return f"customer{person + 1}@example.com"


def cookie_of(person: int, device: int) -> str:
    return f"p{person + 1}-{device}"
