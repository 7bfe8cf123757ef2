"""Referrals of shops drawn at random, full of traps, against a resolver that walks from friend to
friend; and what the programme brought against sums made by hand."""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

LAST = date(2025, 6, 30)
MARTS = ("fct_referrals", "fct_referrers", "fct_referral_programme", "fct_customer_advocacy")


@dataclass
class Shop:
    """What is delivered. A person is the first of his accounts; accounts of one are listed."""

    accounts: dict[str, str] = field(default_factory=dict)  # account: person
    opened: dict[str, date] = field(default_factory=dict)  # person
    orders: list[tuple[str, str, date, int]] = field(default_factory=list)  # id, account, day, EUR
    devices: list[tuple[str, list[str]]] = field(default_factory=list)  # cookie, accounts
    referrals: list[dict[str, Any]] = field(default_factory=list)

    def join(self, person: str, day: date, *more: str) -> str:
        for account in (person, *more):
            self.accounts[account] = person
        self.opened[person] = day
        return person

    def refer(self, referrer: str, referred: str | None, sent: date, **more: Any) -> str:
        number = f"r{len(self.referrals):05d}"
        row = {"referral_id": number, "referrer_customer_id": referrer, "sent_at": sent}
        self.referrals.append({**row, "referred_customer_id": referred, **more})
        return number

    def friend(self, referral: dict[str, Any]) -> str:
        """The person referred; none where nobody came."""
        if named := referral.get("referred_customer_id"):
            return self.accounts[named]
        return (referral.get("referred_email") or "").split("@")[0]

    def order(self, account: str, day: date, amount: int = 10) -> None:
        self.orders.append((f"o{len(self.orders):05d}", account, day, amount))

    def deliver(self, folder: Path) -> Settings:
        files = folder / "landing" / "files"
        opening = [
            {
                "customer_id": account,
                "email": f"{person}@example.com",
                "created_at": self.opened[person] + timedelta(days=account != person),
            }
            for account, person in self.accounts.items()
        ]
        write_csv(files / "customers.csv", opening)
        names = ("order_id", "customer_id", "ordered_at", "merchandise_amount")
        ordered = self.orders or [("none", "", LAST, 1)]
        write_csv(files / "orders.csv", [dict(zip(names, one, strict=True)) for one in ordered])
        logins = [
            {
                "event_id": f"{cookie}{account}",
                "anonymous_id": cookie,
                "customer_id": account,
                "event_type": "page_view",
                "occurred_at": f"{LAST - timedelta(days=9)} 12:{minute:02d}:00",
            }
            for cookie, accounts in self.devices
            for minute, account in enumerate(accounts)
        ]
        if logins:
            write_csv(files / "events.csv", logins)
        columns = ("referral_id", "referrer_customer_id", "referred_customer_id", "referred_email")
        columns += ("currency", "reward_amount", "sent_at", "converted_at")
        write_csv(
            files / "referrals.csv",
            [{name: row.get(name) for name in columns} for row in self.referrals],
        )
        return settings_of(
            folder / "landing", folder / "warehouse", connectors="files", reporting_currency="EUR"
        )


def walked(shop: Shop) -> dict[str, tuple[Any, ...]]:
    """Per referral why it does not count, its generation and its first order."""
    firsts: dict[str, tuple[date, str]] = {}
    for order, account, day, _ in shop.orders:
        person = shop.accounts[account]
        firsts[person] = min(firsts.get(person, (day, order)), (day, order))
    since = dict(shop.opened)
    for person, (day, _) in firsts.items():
        since[person] = min(since[person], day)
    homes = [
        {shop.accounts[account] for account in accounts}
        for _, accounts in shop.devices
        if len({shop.accounts[account] for account in accounts}) <= 10
    ]
    reasons: dict[str, str | None] = {}
    offers = defaultdict(list)
    for row in shop.referrals:
        number, sent = row["referral_id"], row["sent_at"]
        referrer = shop.accounts[row["referrer_customer_id"]]
        referred = shop.friend(row)
        reasons[number] = None
        if referred == referrer:
            reasons[number] = "self-referral"
        elif any({referrer, referred} <= home for home in homes):
            reasons[number] = "same household"
        elif since[referrer] > sent:
            reasons[number] = "referrer not registered yet"
        elif referred:
            offers[referred].append((since[referred] < sent, sent, number, referrer))
    kept = {referred: min(found) for referred, found in offers.items()}
    cut = set()
    for start in kept:
        path: list[str] = []
        person = start
        while person in kept and person not in path:
            path.append(person)
            person = kept[person][3]
        if person in path:
            cut.add(max(path[path.index(person) :], key=lambda one: kept[one][:3]))
    parents = {}
    for referred, found in offers.items():
        for is_old, _, number, referrer in found:
            if number == kept[referred][2] and referred in cut:
                reasons[number] = "cycle"
            elif is_old:
                reasons[number] = "already a customer"
            elif number == kept[referred][2]:
                parents[referred] = referrer
            else:
                is_same = referrer == kept[referred][3]
                reasons[number] = "repeated" if is_same else "second referrer"
    answers: dict[str, tuple[Any, ...]] = {}
    for row in shop.referrals:
        number = row["referral_id"]
        referrer = shop.accounts[row["referrer_customer_id"]]
        person = shop.friend(row)
        if reasons[number]:
            answers[number] = (reasons[number], None, None)
            continue
        depth = 1
        while referrer in parents:
            depth, referrer = depth + 1, parents[referrer]
        answers[number] = (None, depth, firsts.get(person, (None, None))[1])
    return answers


def drawn(seed: int) -> Shop:
    """Sixty persons who refer each other at random within four days, so that days often tie."""
    chance = random.Random(seed)
    shop, start = Shop(), LAST - timedelta(days=60)
    for number in range(60):
        second = [f"p{number}b"] if chance.random() < 0.1 else []
        shop.join(f"p{number}", start + timedelta(days=chance.randrange(3)), *second)
    accounts = list(shop.accounts)
    for _ in range(70):
        shop.order(chance.choice(accounts), start + timedelta(days=2 + chance.randrange(20)))
    for device in range(4):
        shop.devices.append((f"home{device}", chance.sample(accounts, 3)))
    shop.devices.append(("office", chance.sample(accounts, 20)))
    for _ in range(160):
        referred = chance.choice([*accounts, None])
        mail = {"referred_email": f"p{chance.randrange(60)}@example.com"}
        shop.refer(
            chance.choice(accounts),
            referred,
            start + timedelta(days=chance.randrange(4)),
            **({} if referred else mail),
        )
    return shop


def answers_of(settings: Settings) -> dict[str, tuple[Any, ...]]:
    return {
        number: tuple(answer)
        for number, *answer in rows(
            settings,
            "select referral_id, invalid_reason, generation, first_order_id from fct_referrals",
        )
    }


@pytest.fixture(scope="module")
def many() -> Shop:
    """Many random shops in one, each with names of its own."""
    shop = Shop()
    for seed in range(40):
        one, own = drawn(seed), f"s{seed}"
        shop.accounts |= {own + a: own + p for a, p in one.accounts.items()}
        shop.opened |= {own + p: day for p, day in one.opened.items()}
        for _, account, day, amount in one.orders:
            shop.order(own + account, day, amount)
        shop.devices += [(own + d, [own + a for a in accounts]) for d, accounts in one.devices]
        for row in one.referrals:
            named, mail = row.get("referred_customer_id"), row.get("referred_email")
            shop.refer(
                own + row["referrer_customer_id"],
                own + named if named else None,
                row["sent_at"],
                **({"referred_email": own + mail} if mail else {}),
            )
    return shop


@pytest.fixture(scope="module")
def settings(many: Shop, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return rebuild(many.deliver(tmp_path_factory.mktemp("many")), as_of=LAST, marts=MARTS)


def test_random_shops_full_of_traps_are_resolved_as_by_walking(
    many: Shop, settings: Settings
) -> None:
    expected = walked(many)
    assert answers_of(settings) == expected
    reasons = {reason for reason, *_ in expected.values()}
    assert len(reasons) == 8  # every one but for the unknown referrer, and none
    assert max(depth or 0 for _, depth, _ in expected.values()) >= 5
    referred = [
        person
        for (person,) in rows(
            settings, "select referred_customer_id from fct_referrals where is_valid"
        )
        if person
    ]
    assert len(referred) == len(set(referred)) > 100


def test_direct_values_add_up_to_the_programme_and_generations_do_not(
    many: Shop, settings: Settings
) -> None:
    sales: dict[str, int] = defaultdict(int)
    for _, account, _, amount in many.orders:
        sales[many.accounts[account]] += amount
    children = defaultdict(list)
    for referrer, referred, is_converted in rows(
        settings,
        "select referrer_customer_id, referred_customer_id, is_converted from fct_referrals"
        " where is_valid and referred_customer_id is not null",
    ):
        children[referrer].append((referred, is_converted))

    def below(person: str) -> tuple[int, int]:
        counts = [(int(c), c * sales[p], *below(p)) for p, c in children[person]]
        return sum(a + c for a, _, c, _ in counts), sum(b + d for _, b, _, d in counts)

    found = rows(
        settings,
        "select customer_id, referred_customers, referred_net_sales,"
        " referred_customers_all_generations, referred_net_sales_all_generations"
        " from fct_referrers",
    )
    for person, customers, net_sales, customers_all, net_sales_all in found:
        direct = [p for p, is_converted in children[person] if is_converted]
        assert (customers, net_sales) == (len(direct), sum(sales[p] for p in direct)), person
        assert (customers_all, net_sales_all) == below(person), person
    (programme,) = rows(
        settings,
        "select converted_customers, referred_net_sales, customers_before"
        " from fct_referral_programme where generation is null",
    )
    assert programme[:2] == (sum(f[1] for f in found), sum(f[2] for f in found))
    assert programme[2] == len({many.accounts[account] for _, account, *_ in many.orders})
    assert sum(f[4] for f in found) > programme[1]
    generations = rows(
        settings,
        "select sum(converted_customers), sum(referred_net_sales) from fct_referral_programme"
        " where generation is not null",
    )
    assert generations == [programme[:2]]


def test_each_generation_is_counted_and_held_against_the_buyers_before_it(
    many: Shop, settings: Settings
) -> None:
    answers = walked(many)
    buyers = {many.accounts[account] for _, account, *_ in many.orders}
    sent: Counter[int] = Counter()
    brought: dict[int, set[str]] = defaultdict(set)
    by_buyers: Counter[int] = Counter()
    for row in many.referrals:
        reason, generation, _ = answers[row["referral_id"]]
        if not reason:
            sent[generation] += 1
            if (friend := many.friend(row)) in buyers:
                brought[generation].add(friend)
                by_buyers[generation] += many.accounts[row["referrer_customer_id"]] in buyers
    before = {1: buyers - set().union(*brought.values())}
    before |= {generation + 1: found for generation, found in brought.items()}
    expected = {}
    for generation in sent:
        customers = len(before.get(generation, ()))
        coefficient = by_buyers[generation] / customers if customers else None
        counts = sent[generation], len(brought[generation]), customers
        expected[generation] = (*counts, coefficient)
    found = rows(
        settings,
        "select generation, referrals, converted_customers, customers_before, viral_coefficient"
        " from fct_referral_programme where generation is not null",
    )
    assert {generation: tuple(figures) for generation, *figures in found} == expected
    assert len(expected) >= 5
    assert 0 < by_buyers.total() < sum(map(len, brought.values()))


def test_a_device_of_ten_is_a_household_and_one_of_eleven_is_none(tmp_path: Path) -> None:
    """Of ten persons, one of whom has two accounts."""
    shop, day = Shop(), LAST - timedelta(days=30)
    home = [shop.join(f"h{number:02d}", day) for number in range(9)]
    home += [shop.join("h09", day, "h09b"), "h09b"]
    office = [shop.join(f"o{number:02d}", day) for number in range(11)]
    shop.devices += [("home", home), ("office", office)]
    shop.refer("h00", "h09b", day)
    shop.refer("o00", "o10", day)
    settings = rebuild(shop.deliver(tmp_path), as_of=LAST, marts=["fct_referrals"])
    assert answers_of(settings) == {
        "r00000": ("same household", None, None),
        "r00001": (None, 1, None),
    }


def test_a_chain_of_three_hundred_has_three_hundred_generations(tmp_path: Path) -> None:
    """And a cycle of thirty with a tail hangs on nobody but the one after whom it is cut."""
    shop, day = Shop(), LAST - timedelta(days=30)
    for number in range(301):
        shop.join(f"c{number:03d}", day)
        shop.order(f"c{number:03d}", day)
        if number:
            shop.refer(f"c{number - 1:03d}", f"c{number:03d}", day)
    for number in range(30):
        shop.join(f"w{number:02d}", day)
    for number in range(30):
        shop.refer(f"w{number:02d}", f"w{(number + 1) % 30:02d}", day)
    shop.join("tail", day)
    shop.refer("w10", "tail", day)
    settings = rebuild(shop.deliver(tmp_path), as_of=LAST, marts=MARTS)
    assert answers_of(settings) == walked(shop)
    assert rows(
        settings,
        "select referred_customers, referred_customers_all_generations,"
        " referred_net_sales_all_generations from fct_referrers where customer_id = 'c000'",
    ) == [(1, 300, 3000)]
    assert rows(settings, "select count(*) from fct_referrals where invalid_reason = 'cycle'") == [
        (1,)
    ]


def test_rewards_are_cost_whoever_they_were_paid_for(tmp_path: Path) -> None:
    """Anna has brought a buyer and is none: the viral coefficient asks what buyers bring."""
    shop, day = Shop(), LAST - timedelta(days=100)
    for name in ("anna", "bela", "caro"):
        shop.join(name, day)
    shop.order("bela", day + timedelta(days=3), 50)
    shop.refer("anna", "bela", day, reward_amount="5.00")
    shop.refer("anna", "anna", day, reward_amount="5.00")
    shop.refer("anna", "caro", day, reward_amount="2.50", converted_at=LAST + timedelta(days=1))
    shop.refer("bela", None, day)
    settings = rebuild(shop.deliver(tmp_path), as_of=LAST, marts=(*MARTS, "fct_orders"))
    assert rows(
        settings,
        "select referrals, invalid_referrals, converted_customers, conversion_rate,"
        " viral_coefficient, referred_net_sales, reward_amount, referral_value"
        " from fct_referral_programme where generation is null",
    ) == [(3, 1, 1, 1 / 3, 0.0, Decimal(50), Decimal(10), None)]
    (row,) = rows(settings, "from fct_referrers where customer_id = 'bela'")
    assert row[1:3] == (1, 0)
    assert rows(settings, "select contribution_margin from fct_orders") == [(Decimal(45),)]


def test_reminders_to_one_address_are_one_referral_before_and_after_somebody_came(
    tmp_path: Path,
) -> None:
    shop, day = Shop(), LAST - timedelta(days=100)
    for name in ("anna", "bela", "caro"):
        shop.join(name, day)
    for week in range(4):
        sent = day + timedelta(days=7 * week)
        shop.refer("anna", None, sent, referred_email="dora@example.com")
        shop.refer("bela", None, sent, referred_email="dora@example.com")
        shop.refer("caro", None, sent)
    standings = "select customer_id, score, advocacy_tier from fct_customer_advocacy order by all"
    settings = rebuild(shop.deliver(tmp_path / "before"), as_of=LAST, marts=MARTS)
    assert rows(settings, standings) == [
        ("anna", Decimal(2), "liker"),
        ("bela", Decimal(2), "liker"),
        ("caro", Decimal(8), "lover"),
    ]
    shop.join("dora", LAST)
    settings = rebuild(shop.deliver(tmp_path / "after"), as_of=LAST, marts=MARTS)
    assert rows(settings, standings)[:2] == [
        ("anna", Decimal(2), "liker"),
        ("bela", Decimal(0), "lurker"),
    ]


def test_dates_are_compared_in_the_shops_time_zone(tmp_path: Path) -> None:
    """Half past eleven of the evening in UTC is the next day in Berlin."""
    shop = Shop()
    for name in ("anna", "bela", "caro"):
        shop.join(name, date(2025, 3, 10))
    shop.refer("anna", "bela", date(2025, 3, 10), sent_at="2025-03-10T22:30:00Z")
    shop.refer("anna", "caro", date(2025, 3, 10), sent_at="2025-03-10T23:30:00Z")
    shop.deliver(tmp_path)
    (tmp_path / "landing" / "regulars.toml").write_text('time_zone = "Europe/Berlin"\n')
    settings = settings_of(tmp_path / "landing", tmp_path / "warehouse", connectors="files")
    rebuild(settings, as_of=LAST, marts=["fct_referrals"])
    assert answers_of(settings) == {
        "r00000": (None, 1, None),
        "r00001": ("already a customer", None, None),
    }


def test_a_shop_that_delivers_no_rewards_has_none_instead_of_zero(tmp_path: Path) -> None:
    shop, day = Shop(), LAST - timedelta(days=100)
    shop.join("anna", day)
    shop.refer("anna", None, day)
    settings = rebuild(shop.deliver(tmp_path), as_of=LAST, marts=MARTS)
    for mart in ("fct_referrers", "fct_customer_advocacy", "fct_referral_programme"):
        found = {reward for (reward,) in rows(settings, f"select reward_amount from {mart}")}
        assert found == {None}, mart
