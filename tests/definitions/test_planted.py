"""The planted persons: each arrives in exactly the planted states, on the planted days, by the
planted reasons, as told by _truth/planted_transitions and _truth/planted_states."""

from collections import defaultdict
from collections.abc import Iterator
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
    "late_delivery": "the order was not there 3 days after",
    "defect": "sent back a faulty product",
}
BUCKETS = {1: "1", 2: "2", 3: "3", 4: "4-6", 5: "4-6", 6: "4-6"}
Change = tuple[Any, ...]  # day, from stage, from segment, to stage, to segment, reason


@pytest.fixture(scope="module")
def stories(demo_files: DemoFiles) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for row in demo_files.table("planted_transitions"):
        found[row["story"]].append(row)
    return found


@pytest.fixture(scope="module")
def planned(
    demo: Path, demo_files: DemoFiles, stories: dict[str, list[Record]]
) -> dict[str, list[Change]]:
    """The changes planted until as_of; what hangs on a threshold comes on the day that it gives."""
    as_of = demo_files.history().as_of
    thresholds = {
        (month, bucket): {"at_risk": at_risk, "inactive": inactive}
        for month, bucket, at_risk, inactive in rows(
            demo,
            "select estimation_month, purchase_bucket, at_risk_after_days, inactive_after_days"
            " from fct_lapse_thresholds",
        )
    }
    return {story: list(dated(steps, as_of, thresholds)) for story, steps in stories.items()}


def dated(
    steps: list[Record], as_of: date, thresholds: dict[tuple[date, str], dict[str, int]]
) -> Iterator[Change]:
    for step in steps:
        day = step["transition_date"]
        if day is None:
            since = step["silent_since"]
            bucket = BUCKETS.get(step["purchase_number"], "7+")
            after = thresholds[since.replace(day=1), bucket][step["threshold"]]
            day = since + timedelta(days=after + 1)
        if day <= as_of:
            names = ("from_stage", "from_segment", "to_stage", "to_segment", "reason")
            yield (day, *(step[name] for name in names))


@pytest.fixture(scope="module")
def reached(demo: Path) -> dict[str, list[Change]]:
    """The changes of each customer, in order."""
    found: dict[str, list[Change]] = defaultdict(list)
    for customer, *change in rows(
        demo,
        "select customer_id, transition_date, from_stage, from_segment, to_stage, to_segment,"
        " reason from fct_lifecycle_transitions order by transition_date",
    ):
        found[customer].append(tuple(change))
    return found


def is_told(got: list[Change], expected: list[Change]) -> bool:
    return [row[:5] for row in got] == [row[:5] for row in expected] and all(
        words.startswith(REASONS[reason])
        for (*_, words), (*_, reason) in zip(got, expected, strict=True)
    )


def test_every_planted_person_goes_exactly_the_planted_way(
    stories: dict[str, list[Record]],
    planned: dict[str, list[Change]],
    reached: dict[str, list[Change]],
) -> None:
    assert len(stories) > 30
    pairs = {
        story: (reached[steps[0]["customer_id"]], planned[story])
        for story, steps in stories.items()
    }
    assert {story: pair for story, pair in pairs.items() if not is_told(*pair)} == {}


def test_planted_states_hold_on_their_days(
    demo_files: DemoFiles, reached: dict[str, list[Change]]
) -> None:
    states = demo_files.table("planted_states")
    assert len(states) > 100
    for row in states:
        before = [step for step in reached[row["customer_id"]] if step[0] <= row["date"]]
        assert before[-1][3:5] == (row["stage"], row["segment"]), row


def test_the_last_planted_state_is_that_of_the_customer(
    demo: Path, stories: dict[str, list[Record]], planned: dict[str, list[Change]]
) -> None:
    states = {
        customer: state
        for customer, *state in rows(
            demo, "select customer_id, lifecycle_stage, segment from dim_customers"
        )
    }
    for story, steps in stories.items():
        assert states[steps[0]["customer_id"]] == list(planned[story][-1][3:5]), story
