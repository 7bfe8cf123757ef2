"""What the synthetic shop's people do beside their orders, and whom it plants: read from the files
by plain Python and compared with the truth."""

import csv
import gzip
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest

from dagster_project.lib.demo import activity_sql, write_shop

BERLIN = ZoneInfo("Europe/Berlin")
Record = dict[str, Any]
LAST_DAY = date(2025, 12, 31)


class Shop:
    """The files of a shop, all records as they stand, and its truth."""

    def __init__(self, landing: Path) -> None:
        self.landing = landing
        self.accounts: dict[str, Record] = {}
        for row in self.records("customers"):
            if row["customer_number"] != "C999999999":
                self.accounts[row["customer_number"]] = row
        self.orders = {row["order_no"]: row for row in self.truth("orders")}
        self.events = {row["event_no"]: row for row in self.records("events")}

    def records(self, entity: str) -> Iterator[Record]:
        for path in sorted((self.landing / "demo").glob(f"{entity}*")):
            if path.suffix == ".parquet":
                yield from pq.read_table(path).to_pylist()
                continue
            content = path.read_bytes()
            text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
            if ".jsonl" in path.name:
                yield from map(json.loads, text.splitlines())
            else:
                for row in csv.DictReader(text.splitlines()):
                    yield {name: value or None for name, value in row.items()}

    def truth(self, name: str) -> list[Record]:
        found: list[Record] = pq.read_table(self.landing / f"_truth/{name}.parquet").to_pylist()
        return found

    def person(self, account: str | None, email: str | None) -> str | None:
        """The first account of an address, else the address."""
        if account and not account.startswith("C9"):
            return account
        address = (email or self.accounts[account]["email"] if account else email or "").strip()
        named = self.by_email.get(address.lower())
        return named or address.lower() or None

    @property
    def by_email(self) -> dict[str, str]:
        if not hasattr(self, "_by_email"):
            self._by_email: dict[str, str] = {}
            for number in sorted(self.accounts):
                address = self.accounts[number]["email"].strip().lower()
                self._by_email.setdefault(address, number)
        return self._by_email


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("activity") / "landing"
    write_shop(folder, customers=2000, seed=5)
    return Shop(folder)


def moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def test_there_are_ten_to_fifteen_events_per_order(shop: Shop) -> None:
    assert 10 < len(shop.events) / len(shop.orders) < 15
    kinds = Counter(event["kind"] for event in shop.events.values())
    assert len(kinds) == 15
    assert kinds["view_product"] > kinds["basket_add"] > kinds["checkout"] > kinds["order"]


def test_an_event_holds_what_its_kind_needs(shop: Shop) -> None:
    needs = {
        "view_page": ("visitor_cookie", "url"),
        "view_product": ("visitor_cookie", "sku"),
        "search": ("visitor_cookie", "query", "hits"),
        "basket_add": ("basket_no", "sku", "pieces", "amount", "currency"),
        "basket_remove": ("basket_no", "sku", "pieces", "amount", "currency"),
        "checkout": ("basket_no",),
        "order": ("order_no", "basket_no"),
        "register": ("visitor_cookie", "account"),
        "mail_open": ("contact_email", "campaign"),
        "mail_click": ("contact_email", "campaign"),
        "ad_touch": ("source", "campaign"),
        "share": ("sku",),
        "photo": ("visitor_cookie", "account", "sku"),
        "answer": ("visitor_cookie", "account"),
        "case_study": ("account",),
    }
    for event in shop.events.values():
        for column in needs[event["kind"]]:
            assert event[column] is not None, (column, event)
    without_result = {e["query"] for e in shop.events.values() if e["hits"] == 0}
    with_results = {e["query"] for e in shop.events.values() if e["hits"]}
    assert without_result and with_results
    assert not without_result & with_results


def test_every_online_order_ends_a_visit(shop: Shop) -> None:
    sold = {row["order_no"]: row for row in shop.records("orders")}
    visits: dict[str, list[Record]] = defaultdict(list)
    for event in shop.events.values():
        if event["basket_no"]:
            visits[event["basket_no"]].append(event)
    bought = {e["order_no"]: e for e in shop.events.values() if e["kind"] == "order"}
    missing = 0
    for number, order in shop.orders.items():
        row = sold[number]
        if row["shop_channel"] not in ("web", "app"):
            assert number not in bought
            continue
        if number not in bought:
            missing += 1
            continue
        event = bought[number]
        assert event["happened_at"].replace(microsecond=0) == moment(row["placed_at"])
        assert event["account"] == row["customer_number"]
        assert (event["contact_email"] is None) == (row["customer_number"] is not None)
        before = sorted(visits[event["basket_no"]], key=lambda e: e["happened_at"])
        assert [e["kind"] for e in before][-2:] == ["checkout", "order"]
        assert before[-1]["happened_at"] - before[0]["happened_at"] < timedelta(minutes=30)
        assert order["value"] == event["amount"]
    assert missing < 5  # whose visit began before the history


def test_nobody_acts_in_an_account_before_it_is_there(shop: Shop) -> None:
    """But for planted persons whom a link names before they open one."""
    led_by_a_link = {
        row["customer_id"]
        for row in shop.truth("planted_transitions")
        if row["to_stage"] == "acquisition"
    }
    early = {
        (event["account"], event["kind"])
        for event in shop.events.values()
        if event["account"]
        and event["happened_at"] < moment(shop.accounts[event["account"]]["registered_at"])
    }
    assert early == {(account, "view_page") for account in led_by_a_link}
    assert len(led_by_a_link) == 3


def test_cookies_belong_to_whom_the_truth_says(shop: Shop) -> None:
    named: dict[str, set[str | None]] = defaultdict(set)
    for event in shop.events.values():
        if event["visitor_cookie"] and (event["account"] or event["contact_email"]):
            person = shop.person(event["account"], event["contact_email"])
            named[event["visitor_cookie"]].add(person)
    cookies = {e["visitor_cookie"] for e in shop.events.values()} - {None}
    truth = {row["visitor_cookie"]: row for row in shop.truth("visitors")}

    assert truth.keys() == cookies
    assert {cookie for cookie, row in truth.items() if row["is_identified"]} == named.keys()
    shared = {cookie for cookie, persons in named.items() if len(persons) > 1}
    assert len(shared) == 2  # the household's and the company's
    for cookie, persons in named.items():
        if cookie not in shared and not cookie.startswith("p"):
            assert persons == {truth[cookie]["person_id"]}
    assert any(row["person_id"] and not row["is_identified"] for row in truth.values())
    assert any(not row["person_id"] and not row["is_bot"] for row in truth.values())


def test_baskets_end_as_the_truth_says(shop: Shop) -> None:
    """Ordered: a valid order of the same person within a day of the last touch of the basket."""
    orders: dict[str, list[datetime]] = defaultdict(list)
    for order in shop.orders.values():
        if order["is_valid"] and order["person_id"]:
            orders[order["person_id"]].append(order["placed_at"])
    touched: dict[str, list[Record]] = defaultdict(list)
    for event in shop.events.values():
        if event["basket_no"]:
            touched[event["basket_no"]].append(event)
    truth = {row["basket_no"]: row for row in shop.truth("baskets")}
    assert truth.keys() == touched.keys()
    for number, events in touched.items():
        row = truth[number]
        times = [
            e["happened_at"].astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
            for e in events
            if e["kind"] != "order"
        ]
        assert row["last_moved_at"] == max(times)
        is_ordered = any(
            min(times) <= placed <= max(times) + timedelta(days=1)
            for placed in orders[row["person_id"]]
        )
        assert row["is_ordered"] == is_ordered
        signs = {"basket_add": 1, "basket_remove": -1}
        assert row["value"] == sum(signs.get(e["kind"], 0) * (e["amount"] or 0) for e in events)
    assert {row["last_step"] for row in truth.values()} == {"basket", "checkout", "order"}
    assert 0.1 < sum(not row["is_ordered"] for row in truth.values()) / len(truth) < 0.4


def test_experiments_have_the_planted_difference_and_the_broken_ratio(shop: Shop) -> None:
    shown: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in shop.events.values():
        if event["variant"]:
            shown[event["campaign"], event["variant"]].add(event["visitor_cookie"])
    bought: dict[str, list[Record]] = defaultdict(list)
    for event in shop.events.values():
        if event["kind"] == "order" and event["order_no"] in shop.orders:
            bought[event["visitor_cookie"]].append(event)
    exposed = {key: len(cookies) for key, cookies in shown.items()}
    truth = {(row["campaign"], row["variant"]): row for row in shop.truth("experiments")}
    assert exposed == {key: row["exposed"] for key, row in truth.items()}
    for key, cookies in shown.items():
        buyers = sum(cookie in bought for cookie in cookies)
        assert buyers == truth[key]["converted"]
    for campaign in ("welcome-film", "summer-banner"):
        a, b = shown[campaign, "a"], shown[campaign, "b"]
        assert not a & b
        ratio = (len(b) - len(a)) / math.sqrt(len(a) + len(b))
        assert (abs(ratio) < 0.2) == (campaign == "welcome-film")
        assert (abs(ratio) > 3.3) == (campaign == "summer-banner")
    rates = [truth["welcome-film", v]["converted"] / exposed["welcome-film", v] for v in "ab"]
    error = math.sqrt(sum(r * (1 - r) / exposed["welcome-film", "a"] for r in rates))
    assert rates[1] - rates[0] > 2.58 * error


def test_robots_and_late_events(shop: Shop) -> None:
    bots = {row["visitor_cookie"] for row in shop.truth("visitors") if row["is_bot"]}
    agents = {e["user_agent"] for e in shop.events.values() if e["visitor_cookie"] in bots}
    assert any("bot" in agent.lower() for agent in agents)
    assert any("bot" not in agent.lower() for agent in agents)
    late = pq.read_table(shop.landing / "demo" / f"events_late_{LAST_DAY}.parquet").to_pylist()
    assert late
    assert all(e["happened_at"].date() < LAST_DAY - timedelta(days=10) for e in late)


def test_late_and_repeated_events_are_drawn_in_a_shop_of_millions_too() -> None:
    """Their numbers count 32,000 to a customer."""
    numbers = [0, 31, 503 * 7, 3_839_991_680, 10_000_000 * 32_000 + 5, 2**60]
    with duckdb.connect() as con:
        con.execute(activity_sql.STEPS.format(terms=["tea"], seed=5))
        for number in numbers:
            for modulus in (37, 503):
                drawn = con.execute(f"select is_nth({number}::bigint, {modulus})").fetchone()
                assert drawn == ((number * 2654435761 + 5) % modulus == 0,)
        assert con.sql("select count_if(is_nth(i, 37)) from range(37) r(i)").fetchone() == (1,)


def test_signals_follow_their_orders(shop: Shop) -> None:
    late = missing = 0
    parcels = list(shop.records("shipments"))
    assert len({row["parcel_no"] for row in parcels}) == len(parcels)
    for row in parcels:
        order = shop.orders[row["order_no"]]
        promised = date.fromisoformat(row["promised_on"])
        assert order["is_valid"] and promised > order["order_date"]
        if row["delivered_at"]:
            assert moment(row["delivered_at"]) > moment(row["handed_over_at"])
            late += moment(row["delivered_at"]).date() - promised > timedelta(days=3)
        else:
            missing += promised < LAST_DAY - timedelta(days=20)
    assert 0.02 < late / len(parcels) < 0.08
    assert 0.005 < missing / len(parcels) < 0.03
    stars = Counter()
    for row in shop.records("reviews"):
        stars[row["stars"]] += 1
        assert moment(row["written_at"]).date() > shop.orders[row["order_no"]]["order_date"]
    assert set(stars) == {1, 2, 3, 4, 5}
    answers = list(shop.records("survey_answers"))
    assert {row["survey"] for row in answers} == {"recommend", "satisfied"}
    assert all((row["score"] is None) == (row["answered_at"] is None) for row in answers)
    assert 0.2 < sum(row["score"] is not None for row in answers) / len(answers) < 0.5
    assert all(row["account"] or row["contact_email"] for row in answers)
    cases = list(shop.records("support_tickets"))
    assert any(row["satisfaction"] is None for row in cases)
    assert all(row["closed_at"] or row["satisfaction"] is None for row in cases)


def test_spend_is_told_once_per_day_and_campaign(shop: Shop) -> None:
    spend = list(shop.records("marketing_spend"))
    keys = {(row["day"], row["medium"], row["campaign"]) for row in spend}
    assert len(keys) == len(spend)
    assert all(float(row["cost"]) >= 0 for row in spend)
    touched = {
        (e["source"], e["campaign"]) for e in shop.events.values() if e["kind"] == "ad_touch"
    }
    assert {(row["medium"], row["campaign"]) for row in spend} <= touched


# Segments that can follow each other. A silence passes the lower threshold before the upper one, a
# purchase ends it, and `new` begins with the first purchase only; a bad experience may come and go
# in every segment; nothing but an inactive gap makes won_back.
BUYERS = {"inactive", "at_risk", "hero", "won_back", "new", "active"}
BAD = "negative_experience"
POSSIBLE = {
    *(("prospect", to) for to in ("cart_abandoner", "new", BAD)),
    *(("cart_abandoner", to) for to in ("prospect", "new", BAD)),
    *(("new", to) for to in ("active", "hero", BAD)),
    *(("active", to) for to in ("at_risk", "hero", BAD)),
    *(("at_risk", to) for to in ("inactive", "active", "hero", BAD)),
    *(("inactive", to) for to in ("won_back", "hero", BAD)),
    *(("hero", to) for to in ("at_risk", "active", "won_back", BAD)),
    *(("won_back", to) for to in ("at_risk", "active", "hero", BAD)),
    *((BAD, to) for to in BUYERS | {"prospect", "cart_abandoner"}),
}
STATES = {
    *(("acquisition", segment) for segment in ("prospect", "cart_abandoner")),
    *(("onboarding", segment) for segment in ("prospect", "cart_abandoner", BAD)),
    *((stage, segment) for stage in ("retention", "loyalty") for segment in BUYERS | {BAD}),
}


def test_every_state_and_every_transition_has_its_person(shop: Shop) -> None:
    steps = shop.truth("planted_transitions")
    moves = {(step["from_segment"], step["to_segment"]) for step in steps if step["from_segment"]}

    assert {move for move in moves if move[0] != move[1]} == POSSIBLE
    assert {(step["to_stage"], step["to_segment"]) for step in steps} == STATES
    stated = {(row["stage"], row["segment"]) for row in shop.truth("planted_states")}
    assert stated == STATES


AT_RISK, INACTIVE = 60, 180  # the settings, in force for purchases of the first year
RULES = ("new", "won_back", "hero", "at_risk", "inactive", BAD)


def test_the_planted_ways_follow_from_the_files(shop: Shop) -> None:
    """Each planted life day by day, by the rules and the two thresholds of the settings."""
    lives = defaultdict(list)
    for step in shop.truth("planted_transitions"):
        lives[step["customer_id"]].append(step)
    facts = planted_facts(shop)
    for customer, steps in lives.items():
        expected = []
        for step in steps:
            day = step["transition_date"]
            if day is None:
                after = {"at_risk": AT_RISK, "inactive": INACTIVE}[step["threshold"]]
                day = step["silent_since"] + timedelta(days=after + 1)
                bought = [d for d, _ in facts[customer]["orders"] if d <= step["silent_since"]]
                assert len(bought) == step["purchase_number"]
                assert bought[-1] == step["silent_since"]
            expected.append((day, step["to_stage"], step["to_segment"]))
        got = life(facts[customer])
        assert got == [step for step in expected if step[0] <= LAST_DAY], steps[0]["story"]


def planted_facts(shop: Shop) -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"orders": [], "bad": [], "good": [], "seen": [], "carts": []}
    )
    for row in shop.records("customers_planted"):
        facts[row["customer_number"]]["account"] = moment(row["registered_at"]).date()
    owner = {}
    for row in shop.records("orders_planted"):
        owner[row["order_no"]] = row["customer_number"]
        day = moment(row["placed_at"]).date()
        facts[row["customer_number"]]["orders"].append((day, float(row["goods_total"])))
    cookies = {row["visitor_cookie"]: row["person_id"] for row in shop.truth("visitors")}
    for event in shop.records("events_planted"):
        customer = cookies.get(event["visitor_cookie"], event["account"])
        facts[customer]["seen"].append(event["happened_at"].date())
        if event["kind"] == "basket_add":
            facts[customer]["carts"].append(event["happened_at"])
    said = [
        ("reviews_planted", "stars", "written_at", 2, 4),
        ("survey_answers_planted", "score", "answered_at", 2, 4),
        ("support_tickets_planted", "satisfaction", "closed_at", 2, 4),
    ]
    for entity, score, at, bad, good in said:
        for row in shop.records(entity):
            is_promoter = row.get("survey") == "recommend"
            value, limits = float(row[score]), (6, 9) if is_promoter else (bad, good)
            if value <= limits[0] or value >= limits[1]:
                kind = "bad" if value <= limits[0] else "good"
                facts[row["account"]][kind].append(moment(row[at]).date())
    for row in shop.records("shipments_planted"):
        limit = date.fromisoformat(row["promised_on"]) + timedelta(days=4)
        if not row["delivered_at"] or moment(row["delivered_at"]).date() >= limit:
            facts[owner[row["order_no"]]]["bad"].append(limit)
    for row in shop.records("refunds_planted"):
        facts[owner[row["order_no"]]]["bad"].append(moment(row["refunded_at"]).date())
    return facts


def life(facts: dict[str, Any]) -> list[tuple[date, str, str]]:
    """The days on which stage or segment changes. A hero has spent 1,000 in the 365 days before the
    month."""
    orders, changes = sorted(facts["orders"]), []
    days = [day for day, _ in orders]
    gaps = {b: (b - a).days for a, b in pairwise(days)}
    day = min([facts["account"], *facts["seen"]])
    while day <= LAST_DAY:
        bought = [d for d in days if d <= day]
        ago = (day - bought[-1]).days if bought else -1
        month = day.replace(day=1)
        spent = sum(amount for d, amount in orders if month - timedelta(days=365) <= d < month)
        bad = [d for d in facts["bad"] if 0 <= (day - d).days <= 90]
        is_bad = any(not any(d < good <= day for good in facts["good"]) for d in bad)
        cart = any(
            1 <= (day - at.date()).days <= 31
            and not any(at.date() <= d <= at.date() + timedelta(days=1) for d in days)
            for at in facts["carts"]
        )
        holds = {
            BAD: is_bad,
            "inactive": ago > INACTIVE,
            "at_risk": ago > AT_RISK,
            "hero": spent >= 1000,
            "won_back": any(gaps.get(d, 0) > INACTIVE and (day - d).days <= 90 for d in bought),
            "new": bool(bought) and (day - bought[0]).days <= 30,
            "active": bool(bought),
            "cart_abandoner": cart,
            "prospect": True,
        }
        segment = next(name for name, value in holds.items() if value)
        stage = "acquisition" if day < facts["account"] else "onboarding"
        if bought:
            stage = "loyalty" if len(bought) >= 3 else "retention"
        if not changes or changes[-1][1:] != (stage, segment):
            changes.append((day, stage, segment))
        day += timedelta(days=1)
    return changes


def test_identity_pairs_look_as_they_say(shop: Shop) -> None:
    pairs = shop.truth("identity_pairs")
    emails = {number: row["email"] for number, row in shop.accounts.items()}
    cookies: dict[str, set[str]] = defaultdict(set)
    for event in shop.records("events_planted"):
        if event["account"]:
            cookies[event["account"]].add(event["visitor_cookie"])
    for pair in pairs:
        left, right = pair["left_id"], pair["right_id"]
        if pair["left_type"] == "cookie":
            assert left in cookies[right] or pair["why"].startswith("visits before")
            continue
        same_address = emails[left].strip().lower() == emails[right].strip().lower()
        assert same_address or cookies[left] & cookies[right]
    same = Counter(pair["why"] for pair in pairs if pair["is_same_person"])
    other = Counter(pair["why"] for pair in pairs if not pair["is_same_person"])
    assert sorted(same.values()) == [1, 1, 1, 2]
    assert sorted(other.values()) == [1, 7, 29]
    office = [email for email in emails.values() if email == "office@company.example"]
    assert len(office) == 30
    assert emails["C810000000"] != emails["C810000001"]
    (late,) = shop.records("customers_planted_late")
    first = {row["customer_number"]: row["email"] for row in shop.records("customers_planted.csv")}
    assert first[late["customer_number"]] != late["email"] == emails["C810000002"]


def test_a_history_too_short_for_one_of_them_has_no_planted_persons(tmp_path: Path) -> None:
    write_shop(tmp_path, customers=500, days=500)
    assert not list((tmp_path / "demo").glob("*planted*"))
    assert not (tmp_path / "_truth" / "planted_states.parquet").exists()
