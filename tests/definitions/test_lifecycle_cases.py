"""Small lives in which two rules of the definitions meet, with what is to come out by hand."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

Lines = Sequence[Mapping[str, object]]
NUMBERS = count()


def shop(folder: Path, as_of: date, /, **files: Lines) -> Settings:
    for entity, lines in files.items():
        columns = dict.fromkeys(column for line in lines for column in line)
        write_csv(
            folder / "landing" / f"{entity}.csv",
            [{column: line.get(column, "") for column in columns} for line in lines],
        )
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    return rebuild(settings, as_of=as_of)


def order(
    name: str, customer: str, ordered_at: str, amount: int = 10, **more: object
) -> dict[str, Any]:
    given = {"order_id": name, "customer_id": customer, "ordered_at": ordered_at}
    return given | {"merchandise_amount": amount, **more}


def event(event_type: str, occurred_at: str, cookie: str, **more: object) -> dict[str, Any]:
    given = {"event_id": f"e{next(NUMBERS):04}", "event_type": event_type}
    return given | {"occurred_at": occurred_at, "anonymous_id": cookie, **more}


def transitions(settings: Settings, customer: str) -> list[tuple[str, str, str]]:
    return [
        (day.isoformat(), segment, reason)
        for day, segment, reason in rows(
            settings,
            "select transition_date, to_segment, reason from fct_lifecycle_transitions"
            f" where customer_id = '{customer}' order by 1",
        )
    ]


CROWD = [order(f"x{n}", f"x{n}", "2024-06-01 10:00:00", 1) for n in range(30)]


@pytest.fixture(scope="module")
def best_buyer(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of 33: the best by far, at risk in September, back on 1 November; one who gave all back; one
    whose replacement came late."""
    orders = [
        *CROWD,
        order("h1", "h", "2024-07-10 10:00:00", 500),
        order("h2", "h", "2024-07-20 10:00:00", 500),
        order("h3", "h", "2024-11-01 10:00:00", 500),
        order("h4", "h", "2024-11-20 10:00:00", 5),
        order("r1", "r", "2024-11-10 10:00:00", 900),
        order("r2", "r", "2024-11-11 10:00:00", 900),
        order("z1", "z", "2024-12-10 10:00:00", 1),
        order("z2", "z", "2024-12-11 10:00:00", 0),
        order("z3", "z", "2024-12-11 10:00:00", 5, order_status="cancelled"),
    ]
    refund = {"refund_id": "r", "customer_id": "r", "amount": 1800}
    shipments = [
        {"shipment_id": name, "order_id": name, "promised_date": promised}
        for name, promised in (("z2", "2024-12-14"), ("z3", "2024-12-12"))
    ]
    return shop(
        tmp_path_factory.mktemp("best_buyer"),
        date(2024, 12, 31),
        orders=orders,
        refunds=[refund | {"refunded_at": "2024-11-25 10:00:00"}],
        shipments=shipments,
    )


def test_a_rank_kept_from_month_to_month_is_no_reason(best_buyer: Settings) -> None:
    assert transitions(best_buyer, "h")[-2:] == [
        ("2024-09-19", "at_risk", "silent for 61 days"),
        ("2024-11-01", "hero", "bought again after 104 days"),
    ]


def test_whether_a_rank_is_kept_is_not_foreseen(best_buyer: Settings) -> None:
    """What time alone brings is the silence: 20 November and 61 days."""
    found = rows(
        best_buyer,
        "select segment, next_transition_date from dim_customers where customer_id = 'h'",
    )
    assert found == [("hero", date(2025, 1, 20))]


def test_what_was_given_back_without_an_order_is_no_value(best_buyer: Settings) -> None:
    found = rows(best_buyer, "select customer_id from dim_customers where is_top_value")
    assert found == [("h",)]


def test_a_replacement_of_no_value_can_be_late_and_a_cancelled_order_cannot(
    best_buyer: Settings,
) -> None:
    late = "the order was not there 3 days after the promised date"
    assert [found for found in transitions(best_buyer, "z") if found[2] == late] == [
        ("2024-12-18", "negative_experience", late)
    ]


def test_who_was_never_inactive_is_not_won_back(tmp_path: Path) -> None:
    """Inactive from the 181st day of silence; `on_the_day` buys on it, `late` the day after."""
    orders = [
        order("1", "on_the_day", "2024-03-01 10:00:00"),
        order("2", "on_the_day", "2024-08-29 10:00:00"),
        order("3", "late", "2024-03-01 10:00:00"),
        order("4", "late", "2024-08-30 10:00:00"),
    ]
    settings = shop(tmp_path, date(2024, 9, 10), orders=orders)
    assert [segment for _, segment, _ in transitions(settings, "on_the_day")] == [
        *("new", "active", "at_risk", "active")
    ]
    assert transitions(settings, "late")[-2:] == [
        ("2024-08-29", "inactive", "silent for 181 days"),
        ("2024-08-30", "won_back", "came back after 182 days of silence"),
    ]


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    orders = [
        order("1", "dated", "2025-03-01", 20),
        order("2", "", "2025-03-03 00:00:02", 20, customer_email="guest@example.org"),
        order("3", "placeholder", "2025-03-01 10:00:00", order_status="cancelled")
        | {"customer_email": "test@test.com"},
    ]
    spring = {"campaign": "spring", "channel": "ads"}
    events = [
        event("search", "2025-03-01 10:00:00", "k1", customer_id="dated", search_term="tea"),
        event("add_to_cart", "2025-03-01 10:01:00", "k1", value=20, **spring),
        event("page_view", "2025-03-02 23:50:00", "k2", **spring),
        event("add_to_cart", "2025-03-02 23:52:00", "k2", value=20),
        event("purchase", "2025-03-03 00:00:02", "k2", order_id="2"),
        event("add_to_cart", "2025-01-01 10:00:00", "k3", value=10),
        event("page_view", "2025-06-01 10:00:00", "k3", customer_id="known_late"),
        event("add_to_cart", "2025-05-20 10:00:00", "k4", value=10),
        event("page_view", "2025-06-01 10:00:00", "k4", customer_id="known_in_time"),
        event("add_to_cart", "2025-02-01 10:00:00", "k5", value=10),
        event("purchase", "2025-02-01 10:05:00", "k5", order_id="unknown"),
        event("add_to_cart", "2025-02-01 10:10:00", "k5", value=5),
    ]
    accounts = [
        {"customer_id": name, "created_at": "2024-12-01 10:00:00"}
        for name in ("known_late", "known_in_time")
    ]
    answers = {"attribute": "motive", "value": "gift", "answered_at": "2025-03-02 10:00:00"}
    return shop(
        tmp_path_factory.mktemp("visits"),
        date(2025, 7, 10),
        orders=orders,
        events=events,
        customers=accounts,
        preferences=[answers | {"customer_id": "told_us"}],
        referrals=[{"referral_id": 1, "referrer_customer_id": "friend", "sent_at": "2025-03-02"}],
    )


def test_an_order_without_a_time_can_be_of_any_moment_of_its_day(visits: Settings) -> None:
    (cart,) = rows(visits, "select status, order_id from fct_carts where customer_id = 'dated'")
    assert cart == ("ordered", "1")
    assert rows(visits, "select orders_after from fct_search_terms") == [(1,)]
    converted = "select orders from fct_sessions where customer_id = 'dated'"
    assert rows(visits, converted) == [(1,)]


def test_a_payment_after_midnight_is_of_the_visit_before_it(visits: Settings) -> None:
    found = rows(
        visits,
        "select campaign, orders from fct_sessions where landing_page is null"
        " and session_date between '2025-03-02' and '2025-03-03' order by started_at",
    )
    assert found == [("spring", 1), (None, 0)]
    touched = "select first_touch_customers, last_touch_customers from fct_campaigns"
    assert rows(visits, f"{touched} where campaign = 'spring'") == [(2, 2)]


def test_a_cart_is_as_old_as_it_is_when_its_person_becomes_known(visits: Settings) -> None:
    assert transitions(visits, "known_late") == [
        ("2024-12-01", "prospect", "has an account or left an address")
    ]
    assert transitions(visits, "known_in_time")[1:] == [
        ("2025-06-01", "cart_abandoner", "left a cart and did not order within 24 hours"),
        ("2025-06-21", "prospect", "the cart was left 30 days ago"),
    ]


def test_a_purchase_event_without_an_order_ends_no_cart(visits: Settings) -> None:
    found = rows(
        visits,
        "select cart_value::int from fct_carts where started_at::date = date '2025-02-01'",
    )
    assert found == [(15,)]


def test_whoever_a_preference_or_a_referral_names_is_known(visits: Settings) -> None:
    found = rows(
        visits,
        "select customer_id, lifecycle_stage from dim_customers"
        " where customer_id in ('told_us', 'friend', 'placeholder') order by 1",
    )
    assert found == [(name, "acquisition") for name in ("friend", "placeholder", "told_us")]
