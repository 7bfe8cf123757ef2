"""The planted persons: each arrives in exactly the planted states, on the planted days, by the
planted reasons, as told by _truth/planted_transitions and _truth/planted_states."""

from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.definitions.demo_files import DemoFiles, Record
from tests.shops import rows

REASONS = {
    "activity": "first seen",
    "cart_abandoned": "left a cart",
    "cart_over": "the cart was left 30 days ago",
    "account": "has an account or left an address",
    "first_purchase": "first purchase",
    "third_purchase": "third purchase",
    "new_over": "the first purchase is 30 days old",
    "silent_at_risk": "silent for ",
    "silent_inactive": "silent for ",
    "bought_again": "bought again after ",
    "came_back": "came back after ",
    "came_back_over": "came back 90 days ago",
    "top_5": "among the top 5 %",
    "top_5_over": "no longer among the top 5 %",
    "bad_over": "the bad experience is 90 days old",
    "good_followed": "a good experience followed",
    "rating": "rated an order 2 stars or less",
    "promoter_score": "would not recommend the shop",
    "satisfaction": "is not satisfied",
    "support_satisfaction": "was not satisfied with support",
    "late_delivery": "the order was not there 4 days after",
    "defect": "sent back a faulty product",
}
BUCKETS = {1: "1", 2: "2", 3: "3", 4: "4-6", 5: "4-6", 6: "4-6"}


@pytest.fixture(scope="module")
def stories(demo_files: DemoFiles) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for row in demo_files.table("planted_transitions"):
        found[row["story"]].append(row)
    return found


def planned(demo: Path, as_of: date, steps: list[Record]) -> list[tuple[Any, ...]]:
    """The steps until as_of, those that hang on a threshold on the day that it gives."""
    thresholds = {
        (month, bucket): {"at_risk": at_risk, "inactive": inactive}
        for month, bucket, at_risk, inactive in rows(
            demo,
            "select estimation_month, purchase_bucket, at_risk_after_days, inactive_after_days"
            " from fct_lapse_thresholds",
        )
    }
    found = []
    for step in steps:
        day = step["transition_date"]
        if day is None:
            since = step["silent_since"]
            bucket = BUCKETS.get(step["purchase_number"], "7+")
            after = thresholds[since.replace(day=1), bucket][step["threshold"]]
            day = since + timedelta(days=after + 1)
        if day <= as_of:
            names = ("from_stage", "from_segment", "to_stage", "to_segment", "reason")
            found.append((day, *(step[name] for name in names)))
    return found


def reached(demo: Path, customer: str) -> list[tuple[Any, ...]]:
    return rows(
        demo,
        "select transition_date, from_stage, from_segment, to_stage, to_segment, reason"
        f" from fct_lifecycle_transitions where customer_id = '{customer}'"
        " order by transition_date",
    )


def wrong_ways(
    demo: Path, demo_files: DemoFiles, stories: dict[str, list[Record]]
) -> dict[str, tuple[Any, ...]]:
    """Of each story that went otherwise: what was reached and what was planted."""
    as_of = demo_files.history().as_of
    found = {}
    for story, steps in stories.items():
        got = reached(demo, steps[0]["customer_id"])
        expected = planned(demo, as_of, steps)
        is_told = [row[:5] for row in got] == [row[:5] for row in expected] and all(
            words.startswith(REASONS[reason])
            for (*_, words), (*_, reason) in zip(got, expected, strict=True)
        )
        if not is_told:
            found[story] = (got, expected)
    return found


def test_every_planted_person_goes_exactly_the_planted_way(
    demo: Path, demo_files: DemoFiles, stories: dict[str, list[Record]]
) -> None:
    assert len(stories) > 30
    assert wrong_ways(demo, demo_files, stories) == {}


def test_planted_states_hold_on_their_days(demo: Path, demo_files: DemoFiles) -> None:
    states = demo_files.table("planted_states")
    assert len(states) > 100
    for row in states:
        before = [step for step in reached(demo, row["customer_id"]) if step[0] <= row["date"]]
        assert before[-1][3:5] == (row["stage"], row["segment"]), row


def test_the_last_planted_state_is_that_of_the_customer(
    demo: Path, demo_files: DemoFiles, stories: dict[str, list[Record]]
) -> None:
    as_of = demo_files.history().as_of
    states = {
        customer: state
        for customer, *state in rows(
            demo, "select customer_id, lifecycle_stage, segment from dim_customers"
        )
    }
    for story, steps in stories.items():
        expected = planned(demo, as_of, steps)[-1]
        assert states[steps[0]["customer_id"]] == list(expected[3:5]), story
