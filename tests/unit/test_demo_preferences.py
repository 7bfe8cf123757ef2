"""What customers of the synthetic shop say of themselves: the truth about it follows from the
files, and every kind of question, and of what looks like one and is none, is planted."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.lib.demo import write_shop
from dagster_project.lib.demo.world import CATEGORIES
from tests.definitions.demo_files import DemoFiles, local_day, utc

VALUES = {
    "motive": {"price", "gifts", "quality"},
    "interest": {*CATEGORIES, "menswear", "womenswear", "gliding"},
    "channel": {"email", "social", "sms", "post"},
    "persona": {"planner", "collector", "browser"},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    folder = tmp_path_factory.mktemp("preferences") / "landing"
    write_shop(folder, customers=2000, seed=5)
    return DemoFiles(folder)


def test_the_truth_is_the_latest_answer_of_each_person(shop: DemoFiles) -> None:
    said: dict[tuple[str | None, str], dict[datetime, str]] = defaultdict(dict)
    for row in shop.records("preferences"):
        said[shop.person(row["account"]), row["attribute"]][utc(row["answered_at"])] = row["answer"]
    expected = {key: (answers[max(answers)], max(answers)) for key, answers in said.items()}
    truth = {
        (row["person_id"], row["attribute"]): (row["value"], row["answered_at"])
        for row in shop.table("preferences")
    }
    assert truth == expected
    assert Counter(len(answers) for answers in said.values()).keys() == {1, 2}


def test_answers_are_given_after_the_account_was_opened_and_never_two_on_a_day(
    shop: DemoFiles,
) -> None:
    answers = list(shop.records("preferences"))
    days = Counter(
        (row["account"], row["attribute"], local_day(datetime.fromisoformat(row["answered_at"])))
        for row in answers
    )
    assert set(days.values()) == {1}
    for row in answers:
        assert row["answer"] in VALUES[row["attribute"]]
        assert utc(row["answered_at"]) >= shop.accounts[row["account"]]["since"]
    holders = [row for row in shop.table("customers") if row["kind"] != "guest"]
    answering = {row["person_id"] for row in shop.table("preferences")}
    assert 0.35 < len(answering) / len(holders) < 0.42
    assert any(row["account"].startswith("C9") for row in answers)


def test_who_stays_came_for_quality(shop: DemoFiles) -> None:
    drop_out = {row["person_id"]: row["drop_out_chance"] for row in shop.table("customers")}
    chances: dict[str, list[float]] = defaultdict(list)
    for row in shop.table("preferences"):
        chance = drop_out[row["person_id"]]
        if row["attribute"] == "motive" and chance is not None:
            chances[row["value"]].append(chance)
    means = {value: sum(found) / len(found) for value, found in chances.items()}
    assert means["quality"] + 0.2 < min(means["price"], means["gifts"])


def test_what_must_follow_for_respondents_stands_in_the_files(shop: DemoFiles) -> None:
    stated = {
        (row["person_id"], row["attribute"]): row["value"] for row in shop.table("preferences")
    }
    planted = shop.table("planted_preferences")
    for row in planted:
        key = row["customer_id"], row["attribute"]
        assert (row["source"] == "stated") == (key in stated), row["story"]
        assert row["source"] == "observed" or row["value"] == stated[key], row["story"]
    days: dict[str | None, set[date]] = defaultdict(set)
    for order in shop.valid_orders():
        days[order.person].add(order.day)
    for row in shop.table("planted_questions"):
        is_of_an_order = row["attribute"] == "interest"
        assert (row["raised_date"] in days[row["customer_id"]]) == is_of_an_order, row["story"]
        closed = row["closed_date"] or date.max
        assert row["raised_date"] < closed <= row["raised_date"] + timedelta(days=60) or (
            row["closed_date"] is None
        ), row["story"]


def test_every_end_of_a_question_is_planted_beside_what_raises_none(shop: DemoFiles) -> None:
    questions = shop.table("planted_questions")
    assert Counter(row["closed_because"] for row in questions) == {
        None: 6,
        "expired": 3,
        "acted_as_answered": 2,
        "bought_again": 1,
        "answered": 1,
        "superseded": 1,
    }
    kinds = {(row["question"], row["attribute"]) for row in questions}
    assert len(kinds) == 3
    asked = {row["customer_id"] for row in questions}
    accounts = {number for number in shop.accounts if number.startswith("C83")}
    assert len(accounts - asked) > 20


def test_a_short_history_has_answers_and_none_planted(tmp_path: Path) -> None:
    write_shop(tmp_path, customers=500, days=90)
    files = DemoFiles(tmp_path)
    assert files.table("preferences")
    assert not list(tmp_path.glob("*/*planted_*"))
