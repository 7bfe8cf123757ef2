"""Shops that deliver one kind of advocacy: what the others would say is empty and not zero."""

from pathlib import Path
from typing import Any

from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

MARTS = ("fct_customer_advocacy", "fct_advocacy_monthly", "fct_referral_programme")
ORDERS = [
    {
        "order_id": f"{name}{day}",
        "customer_id": name,
        "ordered_at": f"2025-0{month}-{day} 12:00:00",
        "merchandise_amount": "10",
    }
    for name, month, day in (("anna", 1, 10), ("bela", 1, 20), ("anna", 3, 30))
]


def shop(folder: Path, **files: list[dict[str, Any]]) -> Settings:
    for name, lines in {"orders": ORDERS, **files}.items():
        write_csv(folder / "landing" / "files" / f"{name}.csv", lines)
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    return rebuild(settings, marts=MARTS)


def test_ratings_alone_make_tiers_and_nothing_else(tmp_path: Path) -> None:
    """What stands under one id on two orders of a customer is one rating."""
    reviews = [
        {"review_id": "r", "order_id": order, "rating": 5, "reviewed_at": "2025-02-03 10:00:00"}
        for order in ("anna10", "anna30", "bela20")
    ]
    settings = shop(tmp_path, reviews=reviews)
    assert rows(
        settings,
        "select customer_id, advocacy_tier, score, last_promoter_score, referrals,"
        " referred_customers, referred_net_sales, reward_amount"
        " from fct_customer_advocacy order by 1",
    ) == [
        ("anna", "liker", 1, None, None, None, None, None),
        ("bela", "liker", 1, None, None, None, None, None),
    ]
    assert rows(
        settings,
        "select month(month), customers, likers, invited, responses, promoters, nps, response_rate"
        " from fct_advocacy_monthly order by 1",
    ) == [(2, 2, 2, None, None, None, None, None), (3, 2, 2, None, None, None, None, None)]
    assert rows(settings, "from fct_referral_programme") == []


def test_answers_of_nobody_make_a_score_and_no_tiers(tmp_path: Path) -> None:
    answers = [
        {
            "response_id": number,
            "survey_type": "promoter_score",
            "score": score,
            "responded_at": "2025-03-01 10:00:00",
        }
        for number, score in enumerate((10, 9, 0))
    ]
    settings = shop(tmp_path, survey_responses=answers)
    assert rows(settings, "from fct_customer_advocacy") == []
    assert rows(
        settings,
        "select customers, lovers, lover_share, invited, responses, promoters, detractors"
        " from fct_advocacy_monthly",
    ) == [(None, None, None, None, 3, 2, 1)]


def test_a_referral_that_came_to_nothing_is_a_good_word_and_a_programme(tmp_path: Path) -> None:
    sent = [
        {
            "referral_id": "r",
            "referrer_customer_id": "anna",
            "reward_amount": "",
            "sent_at": "2025-03-01 10:00:00",
        }
    ]
    settings = shop(tmp_path, referrals=sent)
    assert rows(
        settings,
        "select customer_id, advocacy_tier, referrals, referred_customers, referred_net_sales"
        " from fct_customer_advocacy order by 1",
    ) == [("anna", "liker", 1, 0, 0), ("bela", "lurker", 0, 0, 0)]
    assert rows(
        settings,
        "select generation, referrals, converted_customers, conversion_rate, reward_amount,"
        " programme_return from fct_referral_programme order by 1 nulls last",
    ) == [(1, 1, 0, 0, None, None), (None, 1, 0, 0, None, None)]
