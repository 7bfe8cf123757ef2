"""States of customers against a judgement of each day for itself, on a shop made at random."""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.settings import Settings
from tests.definitions.lifecycle import Lives, Signal
from tests.shops import rebuild, rows, settings_of, write_csv

FIRST, LAST = date(2022, 1, 1), date(2024, 6, 30)
PAST = (date(2022, 2, 15), date(2023, 1, 1), date(2024, 2, 29))
Row = dict[str, Any]


@dataclass
class Shop:
    lives: Lives
    files: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))


def make_shop(seed: int) -> Shop:
    """400 customers, from those who never buy to those who buy every week, and what they say."""
    chance = random.Random(seed)
    shop = Shop(Lives({}, {}, {}, defaultdict(list), defaultdict(list), {}))
    for number in range(400):
        customer = f"c{number:03}"
        known = FIRST + timedelta(days=chance.randrange(700))
        has_account = chance.random() < 0.8
        if has_account:
            row = {"customer_id": customer, "created_at": stamp(known, chance)}
            shop.files["customers"].append(row)
        pace = chance.choice((7, 20, 45, 90))
        day = known + timedelta(days=chance.randrange(40))
        days: list[date] = []
        while day <= LAST and chance.random() < (0.93 if pace < 45 else 0.7):
            days.append(day)
            sell(shop, customer, len(days), day, chance)
            day += timedelta(days=1 + round(chance.expovariate(1 / pace)))
        shop.lives.purchases[customer] = days
        if days:
            see(shop, customer, days[0])
        if has_account:
            shop.lives.registered[customer] = known
        for _ in range(chance.choice((0, 0, 1, 3))):
            say(shop, customer, known + timedelta(days=chance.randrange(600)), chance)
    return shop


def see(shop: Shop, customer: str, day: date) -> None:
    shop.lives.seen[customer] = min(shop.lives.seen.get(customer, date.max), day)


def sell(shop: Shop, customer: str, number: int, day: date, chance: random.Random) -> None:
    order = f"{customer}-{number}"
    amount = Decimal(chance.randrange(500, 9000)) / 100
    shop.files["orders"].append(
        {
            "order_id": order,
            "customer_id": customer,
            "ordered_at": stamp(day, chance),
            "merchandise_amount": amount,
        }
    )
    shop.lives.sales[customer].append((day, amount))
    if chance.random() < 0.1:
        refunded = day + timedelta(days=chance.randrange(60))
        reason = chance.choice(("Damaged", "changed mind"))
        shop.files["refunds"].append(
            {
                "refund_id": f"r-{order}",
                "order_id": order,
                "amount": amount / 2,
                "refunded_at": stamp(refunded, chance),
                "reason": reason,
            }
        )
        half = (amount / 2).quantize(Decimal("0.01"), "ROUND_HALF_UP")
        shop.lives.refunds[customer].append((day, refunded, half))
        if reason == "Damaged":
            shop.lives.signals.append(Signal(customer, refunded, False))
    if chance.random() < 0.3:
        promised = day + timedelta(days=3)
        late = chance.choice((-2, 0, 3, 4, 9, None))
        row = {"shipment_id": f"s-{order}", "order_id": order, "promised_date": promised}
        delivered = None if late is None else promised + timedelta(days=late)
        row["delivered_at"] = stamp(delivered, chance) if delivered else ""
        shop.files["shipments"].append(row)
        if late is None or late > 3:
            shop.lives.signals.append(Signal(customer, promised + timedelta(days=4), False))
    if chance.random() < 0.1:
        rated = day + timedelta(days=chance.randrange(1, 30))
        rating = chance.randrange(1, 6)
        shop.files["reviews"].append(
            {
                "review_id": f"v-{order}",
                "order_id": order,
                "rating": rating,
                "reviewed_at": stamp(rated, chance),
            }
        )
        if rating != 3:
            shop.lives.signals.append(Signal(customer, rated, rating >= 4))


def say(shop: Shop, customer: str, day: date, chance: random.Random) -> None:
    number = len(shop.files["survey_responses"]) + len(shop.files["support_tickets"])
    if chance.random() < 0.5:
        score = chance.randrange(11)
        shop.files["survey_responses"].append(
            {
                "response_id": f"a{number}",
                "customer_id": customer,
                "survey_type": "promoter_score",
                "score": score,
                "responded_at": stamp(day, chance),
            }
        )
        see(shop, customer, day)
        if score not in (7, 8):
            shop.lives.signals.append(Signal(customer, day, score >= 9))
    else:
        score = chance.randrange(1, 6)
        shop.files["support_tickets"].append(
            {
                "ticket_id": f"t{number}",
                "customer_id": customer,
                "satisfaction_score": score,
                "opened_at": stamp(day - timedelta(days=2), chance),
                "resolved_at": stamp(day, chance),
            }
        )
        see(shop, customer, day - timedelta(days=2))
        if score != 3:
            shop.lives.signals.append(Signal(customer, day, score >= 4))


def stamp(day: date, chance: random.Random) -> str:
    moment = datetime.combine(day, datetime.min.time())
    return (moment + timedelta(seconds=chance.randrange(86_400))).isoformat(sep=" ")


@pytest.fixture(scope="module")
def shop() -> Shop:
    return make_shop(20)


@pytest.fixture(scope="module")
def warehouse(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("lives")
    for entity, lines in shop.files.items():
        write_csv(folder / "landing" / "files" / f"{entity}.csv", lines)
    settings = settings_of(folder / "landing", folder / "warehouse", time_zone="Europe/Berlin")
    rebuild(settings, as_of=LAST)
    for month, bucket, at_risk, inactive in rows(
        settings,
        """
        select estimation_month, purchase_bucket, at_risk_after_days, inactive_after_days
        from fct_lapse_thresholds
        """,
    ):
        shop.lives.thresholds[month, bucket] = at_risk, inactive
    return settings


STATES_ON = """
    select customer_id, max_by(to_stage, transition_date), max_by(to_segment, transition_date)
    from {table} where transition_date <= date '{day}' group by customer_id
"""


def test_every_day_has_the_states_that_it_would_be_given_by_itself(
    shop: Shop, warehouse: Settings
) -> None:
    chance = random.Random(1)
    segments: Counter[str] = Counter()
    for _ in range(40):
        day = FIRST + timedelta(days=chance.randrange((LAST - FIRST).days + 1))
        sql = STATES_ON.format(table="fct_lifecycle_transitions", day=day)
        found = {customer: (stage, segment) for customer, stage, segment in rows(warehouse, sql)}
        heroes = shop.lives.heroes(day)
        judged = {
            customer: state
            for customer in shop.lives.purchases
            if (state := shop.lives.state(customer, day, heroes))
        }
        assert found == judged, day
        segments.update(segment for _, segment in judged.values())
    assert len(segments) == 8  # all but cart_abandoner


def test_dim_customers_holds_the_state_of_as_of_and_what_comes_if_nothing_happens(
    shop: Shop, warehouse: Settings
) -> None:
    heroes = shop.lives.heroes(LAST)
    told = [signal for signal in shop.lives.signals if signal.known <= LAST]
    lives = replace(shop.lives, signals=told)
    for customer, stage, segment, following in rows(
        warehouse,
        "select customer_id, lifecycle_stage, segment, next_transition_date from dim_customers",
    ):
        assert (stage, segment) == lives.state(customer, LAST, heroes)
        for days in range(1, 200):
            day = LAST + timedelta(days=days)
            if lives.state(customer, day, heroes) != (stage, segment):
                assert following == day, customer
                break
        else:
            assert following is None or following > LAST + timedelta(days=199)


def test_stock_is_yesterdays_with_who_entered_and_without_who_left(warehouse: Settings) -> None:
    by_state: dict[tuple[str, str], int] = defaultdict(int)
    for _, stage, segment, customers, entered, exited in rows(
        warehouse, "from fct_lifecycle_daily order by lifecycle_date"
    ):
        by_state[stage, segment] += entered - exited
        assert customers == by_state[stage, segment]
    ((everybody,),) = rows(warehouse, "select count(*) from dim_customers")
    assert sum(by_state.values()) == everybody


TRANSITIONS_UNTIL = """
    select customer_id, from_stage, to_stage, from_segment, to_segment, reason, transition_date
    from marts.fct_lifecycle_transitions where transition_date <= date '{day}' order by all
"""


def transitions_as_of(past: Settings, day: date) -> list[tuple[Any, ...]]:
    """What a run for a past date tells."""
    rebuild(past, as_of=day, marts=["fct_lifecycle_transitions"])
    after = f"from fct_lifecycle_transitions where transition_date > date '{day}'"
    assert not rows(past, after)
    return rows(past, TRANSITIONS_UNTIL.format(day=day))


@pytest.mark.parametrize("day", PAST)
def test_a_run_for_a_past_date_finds_the_states_of_that_date(
    warehouse: Settings, day: date, tmp_path: Path
) -> None:
    past = settings_of(warehouse.landing, tmp_path / "warehouse", time_zone="Europe/Berlin")
    assert transitions_as_of(past, day) == rows(warehouse, TRANSITIONS_UNTIL.format(day=day))


@pytest.mark.long
@pytest.mark.parametrize("shop", ["demo", "olist"])
def test_twenty_past_dates_have_the_states_that_stood_then(
    shop: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    today: Path = request.getfixturevalue(shop)
    if shop == "demo":
        past = settings_of(request.getfixturevalue("demo_landing"), tmp_path)
    else:
        landing = request.getfixturevalue("real_data") / shop
        past = settings_of(landing, tmp_path, connectors=shop)
    ((first, last),) = rows(today, "select min(order_date), max(order_date) from fct_orders")
    chance = random.Random(20)
    for _ in range(20):
        day = first + timedelta(days=chance.randrange((last - first).days))
        then = transitions_as_of(past, day)
        assert then == rows(today, TRANSITIONS_UNTIL.format(day=day)), day
