"""Who speaks for the synthetic shop: what was planted is found, and every tier, score, month and
value follows anew, in plain Python, from the exported files."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.definitions.demo_files import DemoFiles, local_day
from tests.shops import KEY, dbt, rebuild, rows, settings_of, write_csv

COSTLY = {"photo": 3, "case_study": 5}
CHEAP = {"share": 1, "answer": 2}
Act = tuple[str, date, int, bool]  # person, day, score, whether it makes a lover


def id_of(person: str | None) -> str | None:
    """A guest is known by a keyed hash of the e-mail."""
    if person and "@" in person:
        return hashlib.sha256(f"{KEY}|{person}".encode()).hexdigest()[:32]
    return person


def test_every_referral_is_what_was_planted(demo: Path, demo_files: DemoFiles) -> None:
    names = ("referral_no", "referrer_id", "referred_id", "first_order_no", "invalid_reason")
    truth = [
        (*(id_of(row[name]) for name in names), row["generation"])
        for row in demo_files.table("referrals")
    ]
    found = rows(
        demo,
        "select referral_id, referrer_customer_id, referred_customer_id, first_order_id,"
        " invalid_reason, generation from fct_referrals",
    )
    assert sorted(found) == sorted(truth)
    assert max(row[-1] or 0 for row in truth) == 20
    assert len({row[4] for row in truth}) == 9  # every reason, and none


def test_every_planted_advocate_has_the_tier_quadrant_and_score(
    demo: Path, demo_files: DemoFiles
) -> None:
    truth = {
        (row["story"], row["customer_id"]): (
            row["advocacy_tier"],
            row["advocacy_quadrant"],
            row["is_locked_in"],
            row["score"],
        )
        for row in demo_files.table("planted_advocacy")
    }
    found = {
        person: tuple(standing)
        for person, *standing in rows(
            demo,
            "select customer_id, advocacy_tier, advocacy_quadrant, is_locked_in, score"
            " from fct_customer_advocacy",
        )
    }
    assert {key: found[key[1]] for key in truth} == truth
    assert {quadrant for _, quadrant, *_ in truth.values()} == {
        *("loyal_advocate", "locked_in", "advocate_not_buying", "neither")
    }


@pytest.fixture(scope="module")
def acts(demo_files: DemoFiles) -> list[Act]:
    """What was said and done for or against the shop, by the rules of the seed written anew."""
    return list(acts_of(demo_files))


def acts_of(files: DemoFiles) -> Iterator[Act]:
    def day(row: dict[str, Any], name: str) -> date:
        moment = row[name]
        return local_day(moment if isinstance(moment, datetime) else datetime.fromisoformat(moment))

    reviews: dict[tuple[str, str], Act] = {}
    for row in files.records("reviews"):
        if (person := files.person(row["account"])) and row["stars"] != 3:
            score = 1 if row["stars"] >= 4 else -1
            reviews[row["review_no"], person] = (person, day(row, "written_at"), score, False)
    yield from reviews.values()
    for row in files.records("survey_answers"):
        person = files.person(row["account"], row["contact_email"])
        if row["survey"] == "recommend" and row["score"] and person:
            points = int(row["score"])
            if points >= 9 or points <= 6:
                yield person, day(row, "answered_at"), 2 if points >= 9 else -2, False
    owners = {  # of the devices on which somebody has logged in
        row["visitor_cookie"]: row["person_id"]
        for row in files.table("visitors")
        if row["is_identified"]
    }
    linked: dict[str, date] = {}  # by the first login
    for row in files.records("events"):
        if (cookie := row["visitor_cookie"]) and files.person(row["account"], row["contact_email"]):
            linked[cookie] = min(linked.get(cookie, date.max), day(row, "happened_at"))
    seen = set()
    for row in files.records("events"):
        weight = {**COSTLY, **CHEAP}.get(row["kind"])
        if weight and row["event_no"] not in seen:
            seen.add(row["event_no"])
            acted, is_costly = day(row, "happened_at"), row["kind"] in COSTLY
            if person := files.person(row["account"], row["contact_email"]):
                yield person, acted, weight, is_costly
            elif person := owners.get(cookie := row["visitor_cookie"]):
                yield person, max(acted, linked[cookie]), weight, is_costly
    sent = {row["invite_no"]: day(row, "sent_at") for row in files.records("referrals")}
    for row in files.table("referrals"):
        if row["is_valid"]:
            yield row["referrer_id"], sent[row["referral_no"]], 2, False
            if order := row["first_order_no"]:
                yield row["referrer_id"], files.orders[order].day, 5, True


def tier(score: int, is_lover: bool, has_spoken: bool) -> str:
    return "lover" if is_lover or score >= 6 else "liker" if has_spoken else "lurker"


def tiers_on(acts: list[Act], last: date) -> dict[str, tuple[str, int]]:
    scores: Counter[str] = Counter()
    lovers, speakers = set(), set()
    for person, day, score, is_lover in acts:
        if day <= last:
            scores[person] += score
            lovers |= {person} if is_lover else set()
            speakers |= {person} if score > 0 else set()
    return {
        person: (tier(score, person in lovers, person in speakers), score)
        for person, score in scores.items()
    }


def test_tier_and_score_of_everybody_follow_from_the_files(
    demo: Path, demo_files: DemoFiles, acts: list[Act]
) -> None:
    as_of = demo_files.history().as_of
    expected = {id_of(person): standing for person, standing in tiers_on(acts, as_of).items()}
    found = {
        person: tuple(standing)
        for person, *standing in rows(
            demo, "select customer_id, advocacy_tier, score from fct_customer_advocacy"
        )
    }
    assert found == {person: expected.get(person, ("lurker", 0)) for person in found}
    assert expected.keys() <= found.keys()
    assert Counter(standing[0] for standing in found.values()) == dict(
        rows(demo, "select advocacy_tier, count(*) from dim_customers group by all")
    )


def test_tiers_of_each_month_are_those_of_who_had_bought_by_its_end(
    demo: Path, demo_files: DemoFiles, acts: list[Act]
) -> None:
    first = {}
    for sale in sorted(demo_files.history().sales, key=lambda sale: sale.day):
        if sale.customer:
            first.setdefault(sale.customer, sale.day)
    found = rows(
        demo,
        "select month, last_day(month), lurkers, likers, lovers, customers"
        " from fct_advocacy_monthly order by month",
    )
    assert len(found) > 30
    for month, last, *counts, customers in [*found[::9], found[-1]]:
        standing = tiers_on(acts, last)
        tiers = Counter(
            standing.get(person, ("lurker",))[0] for person, day in first.items() if day <= last
        )
        assert counts == [tiers[name] for name in ("lurker", "liker", "lover")], month
        assert sum(counts) == customers


def test_the_score_of_each_month_takes_the_last_answer_of_each_person(
    demo: Path, demo_files: DemoFiles
) -> None:
    answers: dict[date, dict[str, tuple[str, int]]] = defaultdict(dict)
    asked: dict[date, dict[str, bool]] = defaultdict(dict)
    for row in demo_files.records("survey_answers"):
        if row["survey"] != "recommend":
            continue
        person = str(demo_files.person(row["account"], row["contact_email"]))
        month = local_day(datetime.fromisoformat(row["sent_at"])).replace(day=1)
        asked[month][person] = asked[month].get(person, False) or bool(row["answered_at"])
        if row["answered_at"]:
            month = local_day(datetime.fromisoformat(row["answered_at"])).replace(day=1)
            latest = (row["answered_at"], int(row["score"]))
            answers[month][person] = max(answers[month].get(person, latest), latest)
    for month, *counts, rate, nps, lower, upper in rows(
        demo,
        "select month, invited, responses, promoters, detractors, response_rate,"
        " nps, nps_lower, nps_upper from fct_advocacy_monthly",
    ):
        scores = [score for _, score in answers[month].values()]
        n, good, bad = len(scores), sum(s >= 9 for s in scores), sum(s <= 6 for s in scores)
        assert counts == [len(asked[month]), n, good, bad], month
        if asked[month]:
            assert rate == pytest.approx(sum(asked[month].values()) / len(asked[month]))
        if not n:
            assert (nps, lower, upper) == (None, None, None)
            continue
        assert nps == pytest.approx(100 * (good - bad) / n)
        weights = {1: good + 0.75, 0: n - good - bad + 1.5, -1: bad + 0.75}
        mean = sum(value * weight for value, weight in weights.items()) / (n + 3)
        spread = sum(w * (value - mean) ** 2 for value, w in weights.items()) / (n + 3)
        error = 1.959964 * (spread / (n + 3)) ** 0.5
        assert lower == pytest.approx(100 * max(mean - error, -1), abs=1e-4)
        assert upper == pytest.approx(100 * min(mean + error, 1), abs=1e-4)


def test_value_of_lovers_and_lurkers_is_compared_pair_by_pair(demo: Path) -> None:
    persons = rows(
        demo,
        "select year(first_purchase_date), advocacy_tier, net_sales from dim_customers"
        " where purchase_count > 0",
    )
    values: dict[tuple[int, str], list[Decimal]] = defaultdict(list)
    for year, name, net_sales in persons:
        values[year, name].append(net_sales)
    won = pairs = 0.0
    for year in {year for year, _ in values}:
        for lover, lurker in product(values[year, "lover"], values[year, "lurker"]):
            won += (lover > lurker) + (lover == lurker) / 2
            pairs += 1
    ((found, lower, upper),) = rows(
        demo,
        "select value_auc, value_auc_lower, value_auc_upper from fct_advocacy_monthly"
        " order by month desc limit 1",
    )
    assert found == pytest.approx(won / pairs, abs=1e-12)
    assert 0 < lower < found < upper < 1


def test_what_a_move_would_bring_is_the_difference_within_cohort_years(demo: Path) -> None:
    persons = rows(
        demo,
        "select year(first_purchase_date), advocacy_tier, net_sales from dim_customers"
        " where purchase_count > 0",
    )
    years: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for year, name, net_sales in persons:
        years[str(year)][name].append(float(net_sales))
    totals = [0.0, 0.0]
    for year, *found in rows(
        demo,
        "select cohort_year, what_if_one_point_net_sales, what_if_one_percent_of_likers_net_sales"
        " from fct_advocacy_value where cohort_year <> 'all'",
    ):
        lovers, likers = years[year]["lover"], years[year]["liker"]
        gain = sum(lovers) / len(lovers) - sum(likers) / len(likers)
        everybody = sum(map(len, years[year].values()))
        moves = [min(0.01 * everybody, len(likers)) * gain, 0.01 * len(likers) * gain]
        assert [float(one) for one in found] == pytest.approx(moves, abs=0.001)
        totals = [total + move for total, move in zip(totals, moves, strict=True)]
    ((one, other),) = rows(
        demo,
        "select what_if_one_point_net_sales, what_if_one_percent_of_likers_net_sales"
        " from fct_advocacy_value where cohort_year = 'all'",
    )
    assert [float(one), float(other)] == pytest.approx(totals, abs=0.005)


def test_direct_values_of_all_referrers_are_the_programme(
    demo: Path, demo_files: DemoFiles
) -> None:
    (programme,) = rows(
        demo,
        "select converted_customers, referred_net_sales, referred_predicted_ltv_365_days,"
        " reward_amount from fct_referral_programme where generation is null",
    )
    sums = "sum(referred_customers), sum(referred_net_sales)"
    assert rows(
        demo,
        f"select {sums}, sum(referred_predicted_ltv_365_days), sum(reward_amount)"
        " from fct_referrers",
    ) == [programme]
    assert rows(demo, f"select {sums} from fct_customer_advocacy") == [programme[:2]]
    assert rows(
        demo,
        "select count(*), sum(net_sales), sum(predicted_ltv_365_days) from dim_customers"
        " where customer_id in"
        " (select referred_customer_id from fct_referrals where is_converted)",
    ) == [programme[:3]]
    assert sum(demo_files.rewards.values()) == programme[3]
    assert all(programme)


def test_answers_that_nobody_was_invited_to_have_no_response_rate(tmp_path: Path) -> None:
    files = tmp_path / "landing" / "files"
    order = {"order_id": "a", "ordered_at": "2025-01-07", "merchandise_amount": 1}
    write_csv(files / "orders.csv", [order])
    answer = {"survey_type": "promoter_score", "score": 9, "responded_at": "2025-01-06"}
    write_csv(files / "survey_responses.csv", [{"response_id": "r", **answer}])
    settings = rebuild(
        settings_of(tmp_path / "landing", tmp_path / "warehouse"), marts=["fct_advocacy_monthly"]
    )
    figures = "select customers, responses, nps, invited, response_rate from fct_advocacy_monthly"
    assert rows(settings, figures) == [(None, 1, 100, None, None)]


@pytest.mark.parametrize("ends", ["4, null", "null, 5", "2, 3"])
def test_a_seed_whose_ranges_overlap_or_have_one_end_is_refused(tmp_path: Path, ends: str) -> None:
    write_csv(
        tmp_path / "landing" / "files" / "orders.csv",
        [{"order_id": "a", "ordered_at": "2025-01-07", "merchandise_amount": 1}],
    )
    settings = rebuild(
        settings_of(tmp_path / "landing", tmp_path / "warehouse"),
        on_seeds=[
            "delete from seeds.advocacy_actions where action_type = 'rating' and score_from = 4",
            f"insert into seeds.advocacy_actions values ('rating', {ends}, 'positive', 1, false)",
        ],
        marts=["fct_orders"],
    )
    test = "assert_advocacy_actions_do_not_overlap"
    with pytest.raises(AssertionError, match=test):
        dbt(settings, "test", "--select", test)
