"""Referrals, advocates and deliveries of the synthetic shop: the truth about them follows from the
exported files by the rules, followed here in plain Python."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.demo import write_shop
from tests.definitions.demo_files import DemoFiles, Order, Record, local_day

LAST_DAY = date(2025, 12, 31)
PRAISE = {"share": 1, "answer": 2, "photo": 3, "case_study": 5}
HOUSEHOLD = 10  # persons on one device


class Referrals(DemoFiles):
    """The invitations with the persons at both ends, and why each is rejected."""

    @cached_property
    def first_orders(self) -> dict[str, Order]:
        found: dict[str, Order] = {}
        for order in sorted(self.valid_orders(), key=lambda order: (order.moment, order.order_id)):
            if order.person:
                found.setdefault(order.person, order)
        return found

    @cached_property
    def since(self) -> dict[str, date]:
        """A customer since the first account or the first valid order."""
        days: dict[str, list[date]] = defaultdict(list)
        for numbers in self.persons.values():
            opened = (self.accounts[number]["registered_at"] for number in numbers)
            days[numbers[0]] += [datetime.fromisoformat(stamp).date() for stamp in opened]
        for person, order in self.first_orders.items():
            days[person].append(order.day)
        return {person: min(found) for person, found in days.items()}

    @cached_property
    def devices(self) -> dict[str, set[str]]:
        """Person -> the devices that few enough have logged in on."""
        users: dict[str, set[str]] = defaultdict(set)
        for event in self.records("events"):
            if event["visitor_cookie"] and (event["account"] or event["contact_email"]):
                person = self.person(event["account"], event["contact_email"])
                users[event["visitor_cookie"]].add(str(person))
        found: dict[str, set[str]] = defaultdict(set)
        for cookie, persons in users.items():
            for person in persons if len(persons) <= HOUSEHOLD else ():
                found[person].add(cookie)
        return found

    @cached_property
    def sent(self) -> list[Record]:
        return [
            {
                **row,
                "from": self.person(row["inviter"]),
                "to": self._invited(row),
                "day": datetime.fromisoformat(row["sent_at"]).date(),
            }
            for row in self.records("referrals")
        ]

    def _invited(self, row: Record) -> str | None:
        person = self.person(row["friend"], row["friend_email"])
        return person if person in self.since else None

    def turn(self, row: Record) -> tuple[Any, ...]:
        """What is kept first: sent to who was no customer yet, then what was sent first."""
        is_customer = self.since[row["to"]] < row["day"]
        return is_customer, datetime.fromisoformat(row["sent_at"]), row["invite_no"]

    @cached_property
    def rejected(self) -> dict[str, str]:
        """Invitation -> reason; the first rule that holds."""
        found: dict[str, str] = {}
        kept: dict[str, Record] = {}
        for row in self.sent:
            inviter, friend = row["from"], row["to"]
            if inviter is None:
                found[row["invite_no"]] = "unknown referrer"
            elif friend == inviter:
                found[row["invite_no"]] = "self-referral"
            elif friend and self.devices[inviter] & self.devices[friend]:
                found[row["invite_no"]] = "same household"
            elif self.since[inviter] > row["day"]:
                found[row["invite_no"]] = "referrer not registered yet"
            elif friend and (friend not in kept or self.turn(row) < self.turn(kept[friend])):
                kept[friend] = row
        for ring in cycles({friend: row["from"] for friend, row in kept.items()}):
            last = max((kept[person] for person in ring), key=self.turn)
            found[last["invite_no"]] = "cycle"
        for row in self.sent:
            if row["invite_no"] in found or row["to"] is None:
                continue
            if self.since[row["to"]] < row["day"]:
                found[row["invite_no"]] = "already a customer"
            elif (best := kept[row["to"]]) is not row:
                is_same = best["from"] == row["from"]
                found[row["invite_no"]] = "repeated" if is_same else "second referrer"
        return found

    @cached_property
    def parents(self) -> dict[str, str]:
        """Person -> who referred them."""
        valid = [row for row in self.sent if row["to"] and row["invite_no"] not in self.rejected]
        assert len({row["to"] for row in valid}) == len(valid)
        return {row["to"]: row["from"] for row in valid}

    def generation(self, person: str) -> int:
        generation = 0
        while person in self.parents:
            person, generation = self.parents[person], generation + 1
        return generation


def cycles(parents: dict[str, str]) -> Iterator[list[str]]:
    """Every ring of persons each of whom was referred by the next."""
    seen: set[str] = set()
    for start in parents:
        way: list[str] = []
        person = start
        while person in parents and person not in seen:
            seen.add(person)
            way.append(person)
            person = parents[person]
        if person in way:
            yield way[way.index(person) :]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Referrals:
    folder = tmp_path_factory.mktemp("referrals") / "landing"
    write_shop(folder, customers=2000, seed=5)
    return Referrals(folder)


def test_the_truth_of_every_referral_follows_from_the_files(shop: Referrals) -> None:
    expected = {}
    for row in shop.sent:
        reason = shop.rejected.get(row["invite_no"])
        first = shop.first_orders.get(row["to"]) if not reason else None
        expected[row["invite_no"]] = (
            row["from"],
            row["to"],
            first and first.order_id,
            reason is None,
            reason,
            None if reason else 1 + shop.generation(row["from"]),
            row["invite_no"] >= "I8",
        )
    columns = ("referrer_id", "referred_id", "first_order_no", "is_valid", "invalid_reason")
    columns += ("generation", "is_planted")

    truth = shop.table("referrals")

    assert {row["referral_no"]: tuple(row[name] for name in columns) for row in truth} == expected


def test_every_kind_of_referral_is_planted(shop: Referrals) -> None:
    planted = [row for row in shop.table("referrals") if row["is_planted"]]
    sent = {row["invite_no"]: row for row in shop.sent}
    valid = [row for row in planted if row["is_valid"]]

    assert Counter(row["invalid_reason"] for row in planted if not row["is_valid"]) == {
        "unknown referrer": 1,
        "self-referral": 2,
        "same household": 1,
        "referrer not registered yet": 1,
        "cycle": 4,
        "already a customer": 3,
        "repeated": 1,
        "second referrer": 1,
    }
    assert {row["generation"] for row in valid} == set(range(1, 21))
    assert {row["first_order_no"] is None for row in valid if row["generation"] > 10} == {
        True,
        False,
    }
    assert any(row["referred_id"] is None for row in valid)
    assert any("@" in (row["referred_id"] or "") for row in valid)
    assert any(
        (row["referred_id"] or "").startswith("C") and not sent[row["referral_no"]]["friend"]
        for row in valid
    )
    office = {n for n, row in shop.accounts.items() if row["email"] == "office@company.example"}
    assert any({row["referrer_id"], row["referred_id"]} <= office for row in valid)


def test_two_cycles_lie_within_one_day_and_two_refer_a_customer(shop: Referrals) -> None:
    closed = {row["invite_no"]: row for row in shop.sent if shop.rejected.get(row["invite_no"])}
    on_one_day = [
        row
        for number, row in closed.items()
        if shop.rejected[number] == "cycle"
        and shop.since[row["from"]] == shop.since[row["to"]] == row["day"]
    ]
    to_customers = [
        row
        for number, row in closed.items()
        if shop.rejected[number] == "cycle" and shop.since[row["to"]] < row["day"]
    ]
    assert len(on_one_day) == len(to_customers) == 2


def test_simulated_referrals_are_valid_and_bring_the_channels_customers(shop: Referrals) -> None:
    simulated = [row for row in shop.table("referrals") if not row["is_planted"]]
    sent = {row["invite_no"]: row for row in shop.sent}
    customers = {row["person_id"]: row for row in shop.table("customers")}
    friends = [row["referred_id"] for row in simulated if row["referred_id"]]
    by_channel = [row for row in customers.values() if row["channel"] == "referral"]

    assert all(row["is_valid"] for row in simulated)
    assert {customers[friend]["channel"] for friend in friends} == {"referral"}
    assert 0.9 < len(set(friends)) / len(by_channel) <= 1
    assert {customers[friend]["kind"] for friend in friends} == {"account", "guest", "visitor"}
    assert max(row["generation"] for row in simulated) > 1
    nobody = [sent[row["referral_no"]] for row in simulated if not row["referred_id"]]
    assert 0.3 < len(nobody) / len(simulated) < 0.5
    assert {row["friend_email"] is None for row in nobody} == {True, False}
    for row in simulated:
        record = sent[row["referral_no"]]
        is_british = customers[row["referrer_id"]]["country"] == "GB"
        rewards = {None: None, "GBP": "5.00", "EUR": "5.00"}
        assert record["reward"] == rewards[record["currency"]]
        assert record["currency"] in (None, "GBP" if is_british else "EUR")
        first = shop.first_orders.get(str(row["referred_id"]))
        is_due = first is not None and first.day + timedelta(days=14) <= LAST_DAY
        assert (record["counted_at"] is not None) == is_due


def test_the_truth_of_advocates_follows_from_the_files(shop: Referrals) -> None:
    planted = shop.table("planted_advocacy")
    said: dict[str, dict[Any, int]] = defaultdict(dict)  # person -> action -> weight
    lovers = set()
    asked: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in shop.records("reviews"):
        stars = int(row["stars"])
        weight = 1 if stars >= 4 else -1 if stars <= 2 else 0
        said[row["account"]][row["review_no"]] = weight
    for row in shop.records("survey_answers"):
        if row["survey"] == "recommend" and row["score"] and row["account"]:
            score = int(row["score"])
            said[row["account"]][row["answer_no"]] = 2 if score >= 9 else -2 if score <= 6 else 0
            asked[row["account"]].append((row["answered_at"], score))
    for event in shop.records("events_planted"):
        if event["kind"] in PRAISE:
            said[event["account"]][event["event_no"]] = PRAISE[event["kind"]]
            if event["kind"] in ("photo", "case_study"):
                lovers.add(event["account"])
    for row in shop.sent:
        if row["invite_no"] not in shop.rejected:
            said[row["from"]][row["invite_no"]] = 2
            if row["to"] in shop.first_orders:
                said[row["from"]][row["invite_no"], "converted"] = 5
                lovers.add(row["from"])
    bought: dict[str, set[date]] = defaultdict(set)
    for order in shop.valid_orders():
        bought[str(order.person)].add(order.day)

    for row in planted:
        person = row["customer_id"]
        score = sum(said[person].values())
        is_praised = any(weight > 0 for weight in said[person].values())
        tier = "liker" if is_praised else "lurker"
        tier = "lover" if person in lovers or score >= 6 else tier
        is_detractor = bool(asked[person]) and max(asked[person])[1] <= 6
        silent = (LAST_DAY - max(bought[person], default=date.min)).days
        assert silent < 21 or silent > 180
        quadrant = {
            (True, True): "loyal_advocate",
            (True, False): "locked_in",
            (False, True): "advocate_not_buying",
            (False, False): "neither",
        }[len(bought[person]) >= 3 and silent < 21, tier != "lurker" and not is_detractor]
        expected = (tier, quadrant, quadrant == "locked_in", score)
        names = ("advocacy_tier", "advocacy_quadrant", "is_locked_in", "score")
        assert tuple(row[name] for name in names) == expected, row["story"]


def test_every_tier_is_planted_in_every_quadrant_it_can_have(shop: Referrals) -> None:
    planted = {
        (row["advocacy_tier"], row["advocacy_quadrant"]) for row in shop.table("planted_advocacy")
    }
    quadrants = {"loyal_advocate", "locked_in", "advocate_not_buying", "neither"}
    possible = {(tier, quadrant) for tier in ("lover", "liker") for quadrant in quadrants}
    assert planted == possible | {("lurker", "locked_in"), ("lurker", "neither")}
    scores = {(row["advocacy_tier"], row["score"]) for row in shop.table("planted_advocacy")}
    assert {("lover", 6), ("liker", 5), ("liker", 0), ("lurker", 0), ("lurker", -2)} <= scores


def test_one_planted_review_stands_on_two_orders(shop: Referrals) -> None:
    standing = Counter(row["review_no"] for row in shop.records("reviews"))
    assert sorted(standing.values())[-2:] == [1, 2]


def test_deliveries_are_as_late_as_the_files_say(shop: Referrals) -> None:
    expected = {}
    for row in shop.records("shipments"):
        promised = date.fromisoformat(row["promised_on"])
        came = row["delivered_at"] and local_day(datetime.fromisoformat(row["delivered_at"]))
        expected[row["order_no"]] = (promised, came, (came - promised).days if came else None)
    truth = {
        row["order_no"]: (row["promised_date"], row["delivered_date"], row["days_late"])
        for row in shop.table("deliveries")
    }
    assert truth == expected
    late = Counter(days for _, _, days in truth.values())
    assert min(day for day in late if day is not None) == -1 and late[4] and late[None]


def test_a_short_history_has_referrals_and_none_planted(tmp_path: Path) -> None:
    write_shop(tmp_path, customers=500, days=90)
    truth = DemoFiles(tmp_path).table("referrals")
    assert truth and not any(row["is_planted"] for row in truth)
    assert not (tmp_path / "_truth" / "planted_advocacy.parquet").exists()
