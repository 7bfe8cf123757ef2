"""Preferences, engagement by answer and questions, on the synthetic shop: what was planted comes
out, and all of it by loops over the files. Which person a visit or a touch is of, and since when
that was known, is read from the models that other tests are about."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from scipy.stats import binomtest

from dagster_project.lib.settings import Settings, load_settings
from tests.definitions.demo_files import DemoFiles, local_day
from tests.shops import rebuild, rows, settings_of

RULES = {
    "profile_purchases": 4,
    "profile_days": 90,
    "usual_percent": 80,
    "shop_purchases": 30,
    "rare_percent": 5,
    "contradicting_acts": 3,
    "expires_after_days": 60,
}
LAX = {
    "profile_purchases": 2,
    "profile_days": 20,
    "usual_percent": 51,
    "shop_purchases": 10,
    "rare_percent": 20,
    "contradicting_acts": 2,
    "expires_after_days": 45,
}
MARTS = ("dim_customer_preferences", "fct_attribute_engagement", "fct_clarify_questions")


@dataclass(frozen=True)
class Act:
    """A purchase occasion with the first order of each category; or a touch, with its channel."""

    done: date
    known: date
    orders: Mapping[str, str | None]


@dataclass(frozen=True)
class Answer:
    day: date
    moment: datetime
    value: str
    origin: str


@dataclass(frozen=True)
class Habit:
    customer: str
    number: int
    usual: str
    act: Act


@dataclass(frozen=True)
class Reason:
    """Ordered by what makes the first one of a month."""

    raised: date
    position: int
    number: int
    question: str
    attribute: str
    usual: str
    observed: str
    settled_by: str
    order: str | None
    answered: date = date.min

    @property
    def rank(self) -> tuple[date, int, int]:
        return self.raised, self.position, self.number


def month_of(day: date) -> date:
    return day.replace(day=1)


class Shop:
    """The answers and acts of the customers, and what follows by the rules."""

    def __init__(self, files: DemoFiles, settings: Settings, rules: Mapping[str, int]) -> None:
        self.files, self.settings, self.rules = files, settings, rules
        with duckdb.connect(str(settings.build_file), read_only=True) as build:
            self.touches = build.execute(
                """
                select customer_id_then, channel, touch_date, known_date
                from intermediate.int_campaigns__touches
                where customer_id_then is not null and channel <> 'unknown'
                order by known_date, touched_at, touch_id
                """
            ).fetchall()
            self.visits = build.execute(
                """
                select customer_id_then, event_date, known_from, known_until
                from intermediate.int_events__sessions
                join intermediate.int_sessions__identified using (session_id)
                where bot_reason is null and customer_id_then is not null
                """
            ).fetchall()
        self.as_of = files.history().as_of

    @cached_property
    def names(self) -> dict[str, str]:
        """The ids of guests, whom the files know by their address."""
        published = dict(rows(self.settings, "select order_id, customer_id from fct_orders"))
        orders = self.files.valid_orders()
        return {order.person: published[order.order_id] for order in orders if order.person}

    @cached_property
    def purchases(self) -> dict[str, list[Act]]:
        categories = {row["sku"]: row["category"] for row in self.files.records("products")}
        days: dict[str, dict[date, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
        for order in sorted(self.files.valid_orders(), key=lambda o: (o.moment, o.order_id)):
            if order.person:
                for line in order.lines:
                    if line.is_goods:
                        bought = days[self.names[order.person]][order.day]
                        bought.setdefault(categories[line.product], order.order_id)
        return {
            customer: [Act(day, day, orders) for day, orders in sorted(bought.items())]
            for customer, bought in days.items()
        }

    @cached_property
    def acts(self) -> dict[tuple[str, str], list[Act]]:
        found: dict[tuple[str, str], list[Act]] = {
            (customer, "interest"): acts for customer, acts in self.purchases.items()
        }
        for customer, channel, done, known in self.touches:
            found.setdefault((customer, "channel"), []).append(Act(done, known, {channel: None}))
        return found

    @cached_property
    def answers(self) -> dict[tuple[str, str], list[Answer]]:
        """Customer and attribute -> the last answer of each day, in order."""
        days: dict[tuple[str, str], dict[date, Answer]] = defaultdict(dict)
        for row in self.files.records("preferences"):
            moment = datetime.fromisoformat(row["answered_at"])
            person = self.files.person(row["account"])
            assert person is not None
            answer = Answer(
                local_day(moment),
                moment.astimezone(UTC).replace(tzinfo=None),
                row["answer"],
                row["origin"],
            )
            own = days[person, row["attribute"]]
            if answer.day not in own or own[answer.day].moment < answer.moment:
                own[answer.day] = answer
        return {key: [own[day] for day in sorted(own)] for key, own in days.items()}

    # preferences

    def observed(self, customer: str, attribute: str) -> tuple[str, float, int] | None:
        """Value, share and number of the acts."""
        acts = self.acts.get((customer, attribute), [])
        times = Counter(value for act in acts for value in act.orders)
        last = {value: number for number, act in enumerate(acts) for value in act.orders}
        if not times or max(times.values()) < 2:
            return None
        best = max(times, key=lambda value: (times[value], last[value], value))
        return best, times[best] / len(acts), len(acts)

    def preferences(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        found = {}
        for key in {*self.acts, *self.answers}:
            said = self.answers[key][-1] if key in self.answers else None
            seen = self.observed(*key)
            if said:
                stated = (said.value, said.origin, said.moment)
                found[key] = (said.value, "stated", *stated, *(seen or (None,) * 3))
            elif seen:
                found[key] = (seen[0], "observed", None, None, None, *seen)
        return found

    # engagement

    def engagement(self) -> dict[tuple[date, str, str], tuple[Any, ...]]:
        first = {customer: acts[0].done for customer, acts in self.purchases.items()}
        months = sorted({month_of(day) for day in self.days})
        cells: dict[tuple[date, str, str], list[tuple[str, date]]] = defaultdict(list)
        for (customer, attribute), answers in self.answers.items():
            for month in months:
                before = [answer for answer in answers if answer.day < month]
                if before:
                    cells[month, attribute, before[-1].value].append((customer, before[-1].day))
        found = {}
        for (month, attribute, value), customers in cells.items():
            end = (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
            visitors = self.visitors(month, min(end, self.as_of))
            bought = {
                customer
                for customer, acts in self.purchases.items()
                if any(month_of(act.done) == month for act in acts)
            }
            buyers = [c for c, _ in customers if c in first and first[c] < month]
            engaged = sum(c in bought or c in visitors for c, _ in customers)
            days = sum((month - day).days for _, day in customers) / len(customers)
            found[month, attribute, value] = (
                len(customers),
                engaged if visitors else None,
                len(buyers),
                sum(c in bought for c in buyers),
                *(wilson(engaged, len(customers)) if visitors else (None,) * 3),
                *wilson(sum(c in bought for c in buyers), len(buyers)),
                days,
                end <= self.as_of,
            )
        return found

    @cached_property
    def days(self) -> list[date]:
        first = min(order.day for order in self.files.orders.values())
        return [first + timedelta(days=n) for n in range((self.as_of - first).days + 1)]

    def visitors(self, month: date, last: date) -> set[str]:
        return {
            customer
            for customer, day, known_from, known_until in self.visits
            if month_of(day) == month
            and known_from <= last
            and (known_until is None or known_until >= last)
        }

    # questions

    @cached_property
    def habits(self) -> list[Habit]:
        found = []
        for customer, acts in self.purchases.items():
            for number in range(self.rules["profile_purchases"], len(acts)):
                earlier = acts[:number]
                times = Counter(value for act in earlier for value in act.orders)
                last = {value: n for n, act in enumerate(earlier) for value in act.orders}
                best = max(times, key=lambda value: (times[value], last[value], value))
                is_usual = 100 * times[best] >= self.rules["usual_percent"] * number
                days = (earlier[-1].done - earlier[0].done).days
                if is_usual and days >= self.rules["profile_days"]:
                    found.append(Habit(customer, number, best, acts[number]))
        return found

    @cached_property
    def first_sold(self) -> dict[str, date]:
        found: dict[str, date] = {}
        for acts in self.purchases.values():
            for act in acts:
                for value in act.orders:
                    found[value] = min(found.get(value, act.done), act.done)
        return found

    def interest_on(self, customer: str, day: date) -> str | None:
        said = [a.value for a in self.answers.get((customer, "interest"), []) if a.day <= day]
        return said[-1] if said else None

    def surprises(self) -> Iterator[tuple[str, Reason]]:
        for habit in self.habits:
            earlier = self.purchases[habit.customer][: habit.number]
            if any(value in act.orders for act in earlier for value in habit.act.orders):
                continue
            if self.interest_on(habit.customer, habit.act.done) in habit.act.orders:
                continue
            shares = []
            for value in habit.act.orders:
                alike = [
                    other.act
                    for other in self.habits
                    if other.usual == habit.usual
                    and month_of(self.first_sold[value]) <= other.act.done
                    and other.act.done < month_of(habit.act.done)
                ]
                held = sum(value in act.orders for act in alike)
                is_rare = 100 * held <= self.rules["rare_percent"] * len(alike)
                if len(alike) >= self.rules["shop_purchases"] and is_rare:
                    shares.append((held / len(alike), value))
            if len(shares) == len(habit.act.orders):
                _, value = min(shares)
                told = ("purchase_outside_profile", "interest", habit.usual, value, value)
                order = habit.act.orders[value]
                yield habit.customer, Reason(habit.act.done, 1, habit.number, *told, order)

    def contradictions(self) -> Iterator[tuple[str, Reason]]:
        needed = self.rules["contradicting_acts"]
        done = {
            attribute: {
                value: min(act.known for act in acts if value in act.orders)
                for acts in [
                    [act for key, own in self.acts.items() if key[1] == attribute for act in own]
                ]
                for value in {value for act in acts for value in act.orders}
            }
            for attribute in ("interest", "channel")
        }
        for (customer, attribute), answers in self.answers.items():
            if attribute not in done:
                continue
            for answer, after in zip(answers, [*answers[1:], None], strict=True):
                followed = [
                    (number, act)
                    for number, act in enumerate(self.acts.get((customer, attribute), []))
                    if act.done > answer.day and (after is None or act.known < after.day)
                ][:needed]
                if answer.value not in done[attribute] or len(followed) < needed:
                    continue
                number, last = followed[-1]
                is_known = done[attribute][answer.value] <= last.known
                if not is_known or any(answer.value in act.orders for _, act in followed):
                    continue
                times = Counter(value for _, act in followed for value in act.orders)
                seen = {value: n for n, act in followed for value in act.orders}
                best = max(times, key=lambda value: (times[value], seen[value], value))
                told = ("answer_contradicted", attribute, answer.value, best, answer.value)
                position = 2 if attribute == "interest" else 3
                orders = [order for order in last.orders.values() if order]
                first = min(orders, default=None)
                yield customer, Reason(last.known, position, number, *told, first, answer.day)

    def questions(self) -> dict[tuple[str, date], tuple[Any, ...]]:
        reasons: dict[tuple[str, date], list[Reason]] = defaultdict(list)
        for customer, reason in [*self.surprises(), *self.contradictions()]:
            reasons[customer, month_of(reason.raised)].append(reason)
        raised = {key: min(found, key=lambda one: one.rank) for key, found in reasons.items()}
        return {
            key: (
                reason.question,
                reason.attribute,
                reason.usual,
                reason.observed,
                reason.order,
                reason.raised,
                *self.closed(key[0], reason, [r for k, r in raised.items() if k[0] == key[0]]),
            )
            for key, reason in raised.items()
        }

    def closed(
        self, customer: str, reason: Reason, of_customer: Sequence[Reason]
    ) -> tuple[date | None, str | None]:
        key = customer, reason.attribute
        is_surprise = reason.question == "purchase_outside_profile"
        because = "bought_again" if is_surprise else "acted_as_answered"
        ends = [
            (answer.day, 1, "answered")
            for answer in self.answers.get(key, [])
            if answer.day > reason.raised
        ]
        ends += [
            (act.known, 2, because)
            for number, act in enumerate(self.acts[key])
            if number > reason.number and act.done > reason.answered
            if reason.settled_by in act.orders
        ]
        ends += [
            (other.raised, 3, "superseded")
            for other in of_customer
            if month_of(other.raised) > month_of(reason.raised)
        ]
        expiry = reason.raised + timedelta(days=self.rules["expires_after_days"])
        day, _, words = min([*ends, (expiry, 4, "expired")])
        return (day, words) if day <= self.as_of else (None, None)


def wilson(part: int, whole: int) -> tuple[float | None, float | None, float | None]:
    if not whole:
        return None, None, None
    bounds = binomtest(part, whole).proportion_ci(method="wilson")
    return part / whole, bounds.low, bounds.high


@pytest.fixture(scope="module")
def shop(demo: Path, demo_files: DemoFiles) -> Shop:
    return Shop(demo_files, load_settings(warehouse=demo), RULES)


def test_every_planted_respondent_has_exactly_the_planted_preferences(shop: Shop) -> None:
    planted = shop.files.table("planted_preferences")
    expected = {
        (row["customer_id"], row["attribute"], row["value"], row["source"]) for row in planted
    }
    assert len(expected) > 30
    assert {row["source"] for row in planted} == {"stated", "observed"}
    got = rows(
        shop.settings,
        "select customer_id, attribute, value, source from dim_customer_preferences"
        " where customer_id like 'C83%'",
    )
    assert set(got) == expected


def test_every_planted_respondent_is_asked_exactly_the_planted_questions(shop: Shop) -> None:
    columns = ("customer_id", "question", "attribute", "usual", "observed")
    columns += ("raised_date", "closed_date", "closed_because")
    planted = shop.files.table("planted_questions")
    expected = {tuple(row[name] for name in columns) for row in planted}
    assert {row["closed_because"] for row in planted} == {
        *(None, "answered", "bought_again", "acted_as_answered", "superseded", "expired")
    }
    got = rows(
        shop.settings,
        f"select {', '.join(columns)} from fct_clarify_questions where customer_id like 'C83%'",
    )
    assert set(got) == expected
    assert len(got) == len(planted)


def test_the_latest_answers_are_those_of_the_truth(shop: Shop) -> None:
    expected = {
        (row["person_id"], row["attribute"]): (row["value"], row["answered_at"])
        for row in shop.files.table("preferences")
    }
    got = {key: answers[-1] for key, answers in shop.answers.items() if key in expected}
    assert expected == {key: (answer.value, answer.moment) for key, answer in got.items()}


def test_preferences_are_those_of_the_files(shop: Shop) -> None:
    got = {
        tuple(row[:2]): tuple(row[2:])
        for row in rows(
            shop.settings,
            "select customer_id, attribute, value, source, stated_value, stated_origin,"
            " answered_at, observed_value, observed_share, observations"
            " from dim_customer_preferences",
        )
    }
    expected = shop.preferences()
    assert got.keys() == expected.keys()
    assert len(got) > 1000
    assert {key: row for key, row in got.items() if row != expected[key]} == {}


def test_engagement_is_that_of_the_files(shop: Shop) -> None:
    got = {
        tuple(row[:3]): tuple(row[3:])
        for row in rows(
            shop.settings,
            """
            select month, attribute, value, customers, engaged_customers, buyers, buyers_again,
                engagement_rate, engagement_rate_lower, engagement_rate_upper,
                repurchase_rate_in_month, repurchase_rate_in_month_lower,
                repurchase_rate_in_month_upper, mean_days_since_answer, is_complete
            from fct_attribute_engagement
            """,
        )
    }
    expected = shop.engagement()
    assert got.keys() == expected.keys()
    assert len(got) > 300
    for key, row in expected.items():
        assert got[key] == pytest.approx(row, abs=1e-9), key


def test_who_came_for_quality_stays_engaged_as_simulated(shop: Shop) -> None:
    found = {
        value: rates
        for value, *rates in rows(
            shop.settings,
            """
            select value, sum(engaged_customers) / sum(customers),
                sum(buyers_again) / sum(buyers)
            from fct_attribute_engagement where attribute = 'motive' group by value
            """,
        )
    }
    for rate in (0, 1):
        assert found["quality"][rate] > 2 * max(found["price"][rate], found["gifts"][rate])


def got_questions(settings: Settings) -> dict[tuple[str, date], tuple[Any, ...]]:
    found = rows(
        settings,
        "select customer_id, raised_month, question, attribute, usual, observed, order_id,"
        " raised_date, closed_date, closed_because from fct_clarify_questions",
    )
    return {(row[0], row[1]): tuple(row[2:]) for row in found}


def test_questions_are_those_of_the_files(shop: Shop) -> None:
    expected = shop.questions()
    assert Counter(row[0] for row in expected.values())["answer_contradicted"] > 15
    assert got_questions(shop.settings) == expected


def test_laxer_rules_ask_more_and_still_one_question_at_a_time(
    demo_landing: Path, demo_files: DemoFiles, tmp_path: Path
) -> None:
    changes = [
        f"update seeds.question_rules set value = {value} where rule = '{rule}'"
        for rule, value in LAX.items()
    ]
    settings = settings_of(demo_landing, tmp_path, connectors="demo")
    settings = rebuild(settings, on_seeds=changes, marts=[*MARTS, "fct_orders"])
    lax = Shop(demo_files, settings, LAX)
    expected = lax.questions()
    kinds = Counter((row[0], row[1]) for row in expected.values())
    assert min(kinds.values()) > 20 and len(kinds) == 3, kinds
    assert got_questions(settings) == expected

    spans: dict[str, list[tuple[date, date]]] = defaultdict(list)
    for (customer, _), row in expected.items():
        spans[customer].append((row[5], row[6] or date.max))
    for own in spans.values():
        own.sort()
        assert all(end <= begin for (_, end), (begin, _) in pairwise(own))
