"""Audiences of the synthetic shop, judged anew from its files; what contacting them brings."""

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from math import sqrt
from pathlib import Path
from random import Random
from statistics import NormalDist, fmean, variance

import duckdb
import pytest

from dagster_project.lib.activation.contacts import record_file, write_record
from tests.definitions.demo_files import DemoFiles, email_of
from tests.shops import KEY, rebuild, rows, settings_of, write_csv

SEGMENTS = {"hero", "at_risk", "inactive", "won_back", "negative_experience"}
NO_PROMOTION = {"negative_experience", "ask_a_question"}
# Left behind, 24 hours over, for 30 days at most, with something in them and nothing bought since.
CARTS = """
    from fct_carts as carts
    where
        status = 'abandoned'
        and coalesce(cart_value, 1) > 0
        and customer_id is not null
        and timezone('Europe/Berlin', timezone('UTC', last_step_at + interval 24 hours))::date
        >= (select as_of_date - 30 from meta.publication)
        and not exists (
            from fct_orders as orders
            where
                is_valid
                and orders.customer_id = carts.customer_id
                and ordered_at >= carts.last_step_at
        )"""


def is_held_out(customer: str, share: float = 0.1) -> bool:
    salt = hmac.new(KEY.encode(), b"hold-out", hashlib.sha256).hexdigest()
    return int(hashlib.md5((salt + customer).encode()).hexdigest(), 16) < share * 16**32


class Contacts:
    """Who of the synthetic shop may be written to, by which channel."""

    def __init__(self, files: DemoFiles, stated_channels: dict[str, str]) -> None:
        self.files, self.stated_channels = files, stated_channels
        self.accounts: dict[str, list[str]] = defaultdict(list)
        for account in files.accounts:
            if person := files.person(account):
                self.accounts[person].append(account)
        self.owners: dict[str, set[str]] = defaultdict(set)  # of a number's last eight digits
        for person, accounts in self.accounts.items():
            for account in accounts:
                if number := digits(files.accounts[account]["mobile"]):
                    self.owners[number].add(person)
        self.stopped: set[tuple[str, str]] = set()  # person, channel
        for row in files.records("do_not_contact"):
            listed = {files.person(row["account"], row["email"])} - {None}
            listed |= self.owners.get(digits(row["mobile"]), set())
            for channel in ("email", "sms"):
                if row["way"] in (channel, "any"):
                    self.stopped |= {(str(person), channel) for person in listed}

    def why_not(self, person: str) -> str | None:
        """The first reason, or none."""
        consents = {"email": self._consent(person, "newsletter")}
        consents["sms"] = self._consent(person, "text_messages")
        if not any(consents.values()):
            return "no consent"
        usable = [way for way, accounts in consents.items() if self._usable(way, accounts)]
        if not usable:
            return "no channel"
        return None if self.channel(person) else "suppressed"

    def channel(self, person: str) -> str | None:
        columns = {"email": "newsletter", "sms": "text_messages"}
        if self.stated_channels.get(person) == "sms":
            columns = dict(reversed(columns.items()))
        for channel, column in columns.items():
            accounts = self._consent(person, column)
            if self._usable(channel, accounts) and (person, channel) not in self.stopped:
                return channel
        return None

    def _consent(self, person: str, column: str) -> list[str]:
        """The accounts that say yes, if none says no."""
        said = {
            account: self.files.accounts[account].get(column) for account in self.accounts[person]
        }
        return [] if "no" in said.values() else [account for account in said if said[account]]

    def _usable(self, channel: str, accounts: Sequence[str]) -> bool:
        records = [self.files.accounts[account] for account in accounts]
        if channel == "email":
            return any(email_of(row["email"]) not in self.files.shared | {None} for row in records)
        numbers = [row["mobile"] for row in records if (row["mobile"] or "").startswith("+999")]
        return any(len(self.owners[digits(number)]) == 1 for number in numbers)


def digits(number: str | None) -> str:
    return "".join(filter(str.isdigit, number or ""))[-8:]


@pytest.fixture(scope="module")
def contacts(demo: Path, demo_files: DemoFiles) -> Contacts:
    stated = rows(
        demo,
        "select customer_id, value from dim_customer_preferences"
        " where attribute = 'channel' and source = 'stated'",
    )
    return Contacts(demo_files, dict(stated))


def candidates(warehouse: Path) -> Iterator[tuple[str, str]]:
    """Audience and customer by what other marts say, whose figures have tests of their own."""
    for customer, segment, tier, purchases, score in rows(
        warehouse,
        "select customer_id, segment, customers.advocacy_tier, purchase_count,"
        " last_promoter_score"
        " from dim_customers as customers left join fct_customer_advocacy using (customer_id)",
    ):
        if segment in SEGMENTS:
            yield segment, customer
        if tier == "lover":
            yield "lovers", customer
        silent_or_sad = segment in {"negative_experience", "inactive", "at_risk"}
        if tier == "liker" and purchases and not silent_or_sad and (score is None or score > 6):
            yield "likers_to_win_over", customer
    for (customer,) in rows(warehouse, f"select distinct customer_id from ({CARTS})"):
        yield "cart_abandoned", customer
    for (customer,) in rows(
        warehouse,
        "select distinct customer_id from fct_cross_sell_opportunities"
        " where best_from_date <= (select as_of_date + 1 from meta.publication)",
    ):
        yield "cross_sell", customer
    for (customer,) in rows(
        warehouse, "select customer_id from fct_clarify_questions where status = 'open'"
    ):
        yield "ask_a_question", customer


def test_members_have_consent_a_channel_and_no_place_on_the_list(
    demo: Path, contacts: Contacts
) -> None:
    unhappy = {
        customer
        for (customer,) in rows(
            demo, "select customer_id from dim_customers where segment = 'negative_experience'"
        )
    }
    members, sizes = set(), Counter[tuple[str, str]]()
    for audience, customer in candidates(demo):
        why_not = contacts.why_not(customer)
        if customer in unhappy and audience not in NO_PROMOTION:
            why_not = "bad experience"
        held_out = is_held_out(customer)
        sizes[audience, why_not or ("held out" if held_out else "can be contacted")] += 1
        if not why_not:
            members.add((audience, customer, contacts.channel(customer), held_out))
    assert members == set(
        rows(
            demo,
            "select audience, customer_id, channel, is_holdout from fct_audience_members",
        )
    )
    assert sizes == Counter(
        {
            (audience, status): customers
            for audience, status, customers in rows(
                demo, "from fct_audience_sizes where customers > 0"
            )
        }
    )
    statuses = {status for _, status in sizes}
    assert statuses >= {"bad experience", "no consent", "suppressed", "held out"}
    assert {channel for _, _, channel, _ in members} == {"email", "sms"}
    assert {audience for audience, *_ in members} == SEGMENTS | {
        *("cart_abandoned", "lovers", "likers_to_win_over", "cross_sell", "ask_a_question")
    }


def test_what_to_speak_of_is_the_best_due_offer_and_the_open_question(demo: Path) -> None:
    assert rows(
        demo,
        "select customer_id, subject from fct_audience_members"
        " where audience = 'cross_sell' order by 1",
    ) == rows(
        demo,
        "select customer_id, min_by(category, rank)"
        " from fct_cross_sell_opportunities"
        " where best_from_date <= (select as_of_date + 1 from meta.publication) and customer_id in"
        " (select customer_id from fct_audience_members where audience = 'cross_sell')"
        " group by 1 order by 1",
    )
    for subject, text in rows(
        demo,
        "select subject, question_text from fct_audience_members join fct_clarify_questions"
        " using (customer_id) where audience = 'ask_a_question' and status = 'open'",
    ):
        assert subject == text


def test_the_latest_cart_left_behind_is_named(demo: Path) -> None:
    for subject, latest in rows(
        demo,
        "select subject, (select max_by(cart_id, last_step_at)"
        f" from ({CARTS}) as left_behind where left_behind.customer_id = members.customer_id)"
        " from fct_audience_members as members where audience = 'cart_abandoned'",
    ):
        assert subject == latest


# Effects


class Trial:
    """A shop whose customers were exported or held out, and bought with known chances."""

    def __init__(self, seed: int, *, customers: int, exported: float, held: float) -> None:
        random = Random(seed)
        self.share, self.day = 0.3, date(2025, 3, 1)
        self.bought: dict[str, list[tuple[date, int]]] = defaultdict(list)
        self.contacts = [
            (f"c{number}", random.random() < self.share, self.day + timedelta(random.randrange(20)))
            for number in range(customers)
        ]
        for customer, is_holdout, day in self.contacts:
            self.bought[customer].append((date(2025, 1, 5), 50))
            if random.random() < (held if is_holdout else exported):
                later = day + timedelta(random.randrange(31))
                self.bought[customer].append((later, random.randrange(10, 90)))

    def build(self, folder: Path) -> Path:
        orders = [
            {
                "order_id": f"{customer}-{number}",
                "customer_id": customer,
                "ordered_at": f"{day} 10:00:00",
                "merchandise_amount": amount,
            }
            for customer, purchases in self.bought.items()
            for number, (day, amount) in enumerate(purchases)
        ]
        write_csv(folder / "landing" / "files" / "orders.csv", orders)
        settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
        for day in sorted({day for *_, day in self.contacts}):
            values = ", ".join(
                f"('hero', '{customer}', 'email', {is_holdout}, {self.share}, date '{day}',"
                f" timestamp '{day} 05:00:00')"
                for customer, is_holdout, contacted in self.contacts
                if contacted == day
            )
            columns = "audience, customer_id, channel, is_holdout, holdout_share, contact_date"
            query = f"from (values {values}) as made({columns}, recorded_at)"
            with duckdb.connect() as connection:
                write_record(connection, query, record_file(settings, "hero", day))
        rebuild(settings, marts=["fct_audience_effects"], as_of=date(2025, 6, 30))
        return settings.warehouse

    def brought(self, *, held_out: bool) -> list[int]:
        """Net sales of each customer of one group within 30 days."""
        return [
            sum(
                amount
                for bought, amount in self.bought[customer]
                if day <= bought <= day + timedelta(30)
            )
            for customer, is_holdout, day in self.contacts
            if is_holdout == held_out
        ]


def wilson(share: float, count: int) -> tuple[float, float]:
    z = NormalDist().inv_cdf(0.975)
    middle = share + z * z / (2 * count)
    reach = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - reach) / (1 + z * z / count), (middle + reach) / (1 + z * z / count)


def test_what_contacting_brings_is_the_difference_from_who_was_held_out(tmp_path: Path) -> None:
    trial = Trial(seed=5, customers=1200, exported=0.4, held=0.25)
    ((answer,),) = rows(
        trial.build(tmp_path),
        "select effects from fct_audience_effects as effects where window_days = 30",
    )
    exported, held = trial.brought(held_out=False), trial.brought(held_out=True)
    rates = [sum(map(bool, group)) / len(group) for group in (exported, held)]
    bounds = [wilson(rate, len(group)) for rate, group in zip(rates, (exported, held), strict=True)]
    difference = rates[0] - rates[1]
    lower = difference - sqrt((rates[0] - bounds[0][0]) ** 2 + (bounds[1][1] - rates[1]) ** 2)
    upper = difference + sqrt((bounds[0][1] - rates[0]) ** 2 + (rates[1] - bounds[1][0]) ** 2)
    welch = NormalDist().inv_cdf(0.975) * sqrt(
        variance(exported) / len(exported) + variance(held) / len(held)
    )
    gain = fmean(exported) - fmean(held)
    words = {"audience": "hero", "is_sample_ratio_off": False, "verdict": "more bought"}
    assert {name: answer.pop(name) for name in words} == words
    assert answer == pytest.approx(
        {
            "window_days": 30,
            "exported_customers": len(exported),
            "holdout_customers": len(held),
            "mature_exported_customers": len(exported),
            "mature_holdout_customers": len(held),
            "exported_buyers": sum(map(bool, exported)),
            "holdout_buyers": sum(map(bool, held)),
            "exported_purchase_rate": rates[0],
            "holdout_purchase_rate": rates[1],
            "purchase_rate_difference": difference,
            "purchase_rate_difference_lower": lower,
            "purchase_rate_difference_upper": upper,
            "exported_net_sales_per_customer": fmean(exported),
            "holdout_net_sales_per_customer": fmean(held),
            "net_sales_per_customer_difference": gain,
            "net_sales_per_customer_difference_lower": gain - welch,
            "net_sales_per_customer_difference_upper": gain + welch,
        },
        rel=1e-8,
    )
    assert lower < 0.15 < upper  # the chances that the shop was made with


def test_groups_of_other_sizes_than_drawn_are_not_compared(tmp_path: Path) -> None:
    trial = Trial(seed=6, customers=600, exported=0.4, held=0.25)
    lost = [contact for contact in trial.contacts if contact[1]][::2]
    trial.contacts = [contact for contact in trial.contacts if contact not in lost]
    assert rows(
        trial.build(tmp_path),
        "select is_sample_ratio_off, purchase_rate_difference_lower,"
        " net_sales_per_customer_difference_upper, verdict"
        " from fct_audience_effects where window_days = 30",
    ) == [(True, None, None, "not to be compared: the groups are not of the sizes drawn")]
