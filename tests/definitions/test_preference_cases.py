"""What customers say and do, in shops that can be worked out in the head."""

import random
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

START = date(2024, 1, 1)
LAST = START + timedelta(days=400)
MARTS = ("dim_customer_preferences", "fct_attribute_engagement", "fct_clarify_questions")
ASKED = """
    select customer_id, raised_date, question, usual, observed, closed_date, closed_because
    from fct_clarify_questions order by 1, 2
"""


def on(day: int) -> date:
    return START + timedelta(days=day)


def at(day: int, hour: int = 12) -> str:
    return f"{on(day)} {hour:02}:00:00"


class Shop:
    """Orders of one line each, answers and accounts; days are counted from the shop's start."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def add(self, entity: str, **record: object) -> None:
        self.records[entity].append(record)

    def buy(self, customer: str, category: str, *days: int) -> None:
        for day in days:
            order = f"o{len(self.records['orders'])}"
            self.add("orders", order_id=order, customer_id=customer, ordered_at=at(day))
            line = {"line_number": 1, "category": category, "quantity": 1, "unit_price": 5}
            self.add("order_lines", order_id=order, **line)

    def say(self, customer: str, attribute: str, value: str, day: int, hour: int = 12) -> None:
        answer = {"attribute": attribute, "value": value, "answered_at": at(day, hour)}
        self.add("preferences", customer_id=customer, **answer)

    def come(self, customer: str, channel: str, *days: int) -> None:
        for day in days:
            name = f"e{len(self.records['events'])}"
            visit = {"event_id": name, "event_type": "page_view", "occurred_at": at(day)}
            self.add(
                "events", **visit, customer_id=customer, channel=channel, campaign=f"{channel} ad"
            )

    def build(
        self, folder: Path, *, as_of: date = LAST, marts: tuple[str, ...] = MARTS, **rules: int
    ) -> Settings:
        for entity, records in self.records.items():
            columns = dict.fromkeys(name for record in records for name in record)
            lines = [{name: record.get(name, "") for name in columns} for record in records]
            write_csv(folder / "landing" / "files" / f"{entity}.csv", lines)
        settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
        changes = [
            f"update seeds.question_rules set value = {value} where rule = '{rule}'"
            for rule, value in rules.items()
        ]
        return rebuild(settings, as_of=as_of, on_seeds=changes, marts=marts)


def regulars(shop: Shop, number: int = 6, category: str = "men") -> None:
    """Who buys one category each month: eight purchases of each are a habit's."""
    for name in range(number):
        shop.buy(f"regular {category} {name}", category, *range(10, 370, 30))


def test_an_answer_is_that_of_the_person_wherever_it_was_given(tmp_path: Path) -> None:
    shop = Shop()
    for name, channel, day in (("old", "post", 0), ("new", "sms", 9), ("bert", " phone ", 0)):
        address = "bert@example.com" if name == "bert" else "anna@example.com"
        shop.add(
            "customers",
            customer_id=name,
            email=address,
            preferred_channel=channel,
            created_at=at(day),
        )
    shop.say("old", "motive", "price", 20)
    shop.say("new", "motive", "quality", 30)
    shop.say("old", "motive", "gifts", 401)
    shop.say("old", "birthday", "1 May", 20)
    answer = {"survey_type": "persona", "responded_at": at(40)}
    shop.add(
        "survey_responses",
        response_id="r1",
        customer_email="Anna@Example.com",
        answer="planner",
        **answer,
    )
    shop.add("survey_responses", response_id="r2", customer_id="bert", **answer)
    shop.add(
        "survey_responses",
        response_id="r3",
        customer_id="bert",
        survey_type="motive",
        answer="write to bert@example.com or (B.B@Example.com)!",
        responded_at=at(5),
    )
    shop.say("bert", "channel", "email", 40, hour=9)
    shop.say("bert", "channel", "app", 40, hour=10)
    shop.buy("bert", "tea", 0)
    settings = shop.build(tmp_path)

    assert rows(
        settings,
        "select customer_id, attribute, value, source, stated_origin, answered_at"
        " from dim_customer_preferences order by 1, 2",
    ) == [
        ("bert", "channel", "app", "stated", "profile", _moment(40, 10)),
        (
            *("bert", "motive", "write to (address) or ((address))!", "stated", "survey"),
            _moment(5, 12),
        ),
        ("old", "channel", "post", "stated", "account", None),
        ("old", "motive", "quality", "stated", "profile", _moment(30, 12)),
        ("old", "persona", "planner", "stated", "survey", _moment(40, 12)),
    ]
    earlier = shop.build(tmp_path, as_of=on(25))
    assert rows(
        earlier,
        "select customer_id, attribute, value from dim_customer_preferences order by 1, 2",
    ) == [
        ("bert", "channel", "phone"),
        ("bert", "motive", "write to (address) or ((address))!"),
        ("old", "channel", "post"),
        ("old", "motive", "price"),
    ]


def _moment(day: int, hour: int) -> Any:
    return duckdb.sql(f"select timestamp '{at(day, hour)}'").fetchall()[0][0]


def test_a_shop_that_asks_nobody_and_knows_no_category_has_nothing_to_say(tmp_path: Path) -> None:
    shop = Shop()
    for day in range(10):
        shop.buy("anna", "", 40 * day)
    settings = shop.build(tmp_path)
    for table in MARTS:
        assert rows(settings, f"from {table}") == []


def test_who_only_answers_counts_as_a_customer_and_not_as_a_buyer(tmp_path: Path) -> None:
    """Without visits nobody knows who was engaged."""
    shop = Shop()
    shop.buy("anna", "tea", 0, 31, 59, 60)  # 1 and 31 January are Monday and Wednesday
    shop.say("anna", "motive", "Price", 30)
    shop.say("bert", "motive", "price", 30)
    shop.say("caro", "motive", "price", 31)
    settings = shop.build(tmp_path, as_of=date(2024, 3, 15))
    query = """
        select month(month), value, customers, engaged_customers, buyers, buyers_again,
            engagement_rate, repurchase_rate_in_month, mean_days_since_answer, is_complete
        from fct_attribute_engagement order by 1
    """
    assert rows(settings, query) == [
        (2, "price", 2, None, 1, 1, None, 1.0, 1.0, True),
        (3, "price", 3, None, 1, 1, None, 1.0, (2 * 30 + 29) / 3, False),
    ]
    bounds = "repurchase_rate_in_month_lower, repurchase_rate_in_month_upper"
    (found,) = rows(settings, f"select distinct {bounds} from fct_attribute_engagement")
    assert found == pytest.approx((1 / (1 + 1.959964**2), 1))  # Wilson's of one of one
    shop.come("caro", "ads", 60)
    settings = shop.build(tmp_path, as_of=date(2024, 3, 15))
    assert [(row[0], row[3]) for row in rows(settings, query)] == [(2, None), (3, 2)]


def test_a_first_dress_after_months_of_mens_clothes_is_asked_about(tmp_path: Path) -> None:
    shop = Shop()
    regulars(shop)
    shop.buy("others", "dress", 5)
    for name, dress in (("anna", 330), ("bela", 390)):
        shop.buy(name, "men", 20, 80, 140, 200)
        shop.buy(name, "dress", dress)
    shop.buy("caro", "women", 20, 80, 140, 200)  # nothing is known of those who buy women's clothes
    shop.buy("caro", "dress", 390)
    surprise = "purchase_outside_profile"
    assert rows(shop.build(tmp_path), ASKED) == [
        ("anna", on(330), surprise, "men", "dress", on(390), "expired"),
        ("bela", on(390), surprise, "men", "dress", None, None),
    ]
    assert rows(shop.build(tmp_path, as_of=on(389)), ASKED) == [
        ("anna", on(330), surprise, "men", "dress", None, None)
    ]
    (kept,) = rows(
        shop.build(tmp_path),
        "select value, source, observed_share from dim_customer_preferences"
        " where customer_id = 'bela'",
    )
    assert kept == ("men", "observed", 0.8)


def test_what_is_new_to_the_shop_is_asked_of_nobody(tmp_path: Path) -> None:
    """The dress is on sale since the month before, and purchases since then are too few."""
    shop = Shop()
    regulars(shop)
    shop.buy("others", "dress", 340)
    shop.buy("anna", "men", 20, 80, 140, 200)
    shop.buy("anna", "dress", 380)
    assert rows(shop.build(tmp_path), ASKED) == []
    assert len(rows(shop.build(tmp_path, shop_purchases=6), ASKED)) == 1


def test_what_one_in_twenty_buys_is_rare_and_what_more_buy_is_not(tmp_path: Path) -> None:
    asked = []
    for number in (1, 2):
        shop = Shop()
        shop.buy("others", "dress", 5)
        for name in range(
            4
        ):  # purchases from the fifth on, after 120 days, until the month: 5 each
            shop.buy(f"regular {name}", "men", *range(10, 270, 30))
        for name in range(number):
            shop.buy(f"gift {name}", "men", 20, 80, 140, 200)
            shop.buy(f"gift {name}", "dress", 270)
        shop.buy("anna", "men", 20, 80, 140, 200)
        shop.buy("anna", "dress", 390)
        settings = shop.build(tmp_path / str(number), shop_purchases=10)
        asked.append([row[0] for row in rows(settings, ASKED)])
    assert asked == [["anna", "gift 0"], ["gift 0", "gift 1"]]


def test_a_channel_counts_when_it_is_known_and_only_where_the_shop_uses_it(tmp_path: Path) -> None:
    shop = Shop()
    shop.buy("anna", "tea", 0)
    shop.come("others", "email", 1)
    for name, channel in (("anna", "email"), ("bela", "post"), ("caro", "email")):
        shop.say(name, "channel", channel, 10)
        shop.come(name, "ads", 10, 370, 371)
    shop.come("anna", "ads", 372)
    shop.come("bela", "ads", 372)
    for day in (372, 373):  # a cookie of whom nobody knows before caro logs in on it
        event = {"event_type": "page_view", "occurred_at": at(day), "anonymous_id": "cookie"}
        known = {"customer_id": "caro"} if day == 373 else {"campaign": "ads ad", "channel": "ads"}
        shop.add("events", event_id=f"cookie {day}", **event, **known)
    contradicted = "answer_contradicted"
    assert rows(shop.build(tmp_path), ASKED) == [
        ("anna", on(372), contradicted, "email", "ads", None, None),
        ("caro", on(373), contradicted, "email", "ads", None, None),
    ]
    texts = rows(
        shop.build(tmp_path),
        "select distinct language, question_text, is_possible_gift from fct_clarify_questions",
    )
    assert texts == [("en", "How would you like to hear from us?", False)]


def test_who_has_said_it_is_asked_about_no_purchase_of_it(tmp_path: Path) -> None:
    shop = Shop()
    regulars(shop)
    shop.buy("others", "dress", 5)
    for name in ("anna", "bela"):
        shop.buy(name, "men", 20, 80, 140, 200)
        shop.buy(name, "dress", 390)
    shop.say("anna", "interest", "Dress", 300)
    shop.say("bela", "interest", "dress", 300)
    shop.say("bela", "interest", "men", 310)
    (asked,) = rows(shop.build(tmp_path), ASKED)
    assert asked[:2] == ("bela", on(390))


def test_a_question_stays_when_a_second_person_logs_in_on_the_cookie(tmp_path: Path) -> None:
    shop = Shop()
    for name in ("anna", "bela"):
        shop.buy(name, "tea", 0)
    shop.come("others", "email", 1)
    shop.say("anna", "channel", "email", 10)
    shop.come("anna", "ads", 371, 372)
    event = {"event_type": "page_view", "anonymous_id": "cookie"}
    clicked = {"channel": "ads", "campaign": "ads ad"}
    shop.add("events", event_id="click", occurred_at=at(373), **event, **clicked)
    shop.add("events", event_id="anna", occurred_at=at(374), **event, customer_id="anna")
    shop.add("events", event_id="bela", occurred_at=at(380), **event, customer_id="bela")
    expected = [("anna", on(374), "answer_contradicted", "email", "ads", None, None)]
    assert rows(shop.build(tmp_path, as_of=on(379)), ASKED) == expected
    assert rows(shop.build(tmp_path, as_of=on(380)), ASKED) == expected


def test_what_was_done_before_the_answer_does_not_settle_it(tmp_path: Path) -> None:
    """By a cookie whose owner logs in after the question."""
    shop = Shop()
    shop.buy("anna", "tea", 0)
    shop.say("anna", "channel", "email", 10)
    shop.come("anna", "ads", 371, 372, 373)
    event = {"event_type": "page_view", "anonymous_id": "cookie"}
    clicked = {"channel": "email", "campaign": "email ad"}
    shop.add("events", event_id="click", occurred_at=at(5), **event, **clicked)
    shop.add("events", event_id="login", occurred_at=at(380), **event, customer_id="anna")
    shop.come("others", "email", 1)
    assert rows(shop.build(tmp_path), ASKED) == [
        ("anna", on(373), "answer_contradicted", "email", "ads", None, None)
    ]


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 2))])
def test_no_question_comes_or_goes_afterwards(tmp_path: Path, seed: int) -> None:
    """What a run for a past date asks is what later ones say was asked then."""
    dice = random.Random(seed)
    shop = Shop()
    for name in range(30):
        usual = dice.choice(["men", "women"])
        for day in sorted(dice.sample(range(380), dice.randint(5, 14))):
            if dice.random() < 0.3:
                day_of_visit, channel = dice.randint(0, day), dice.choice(["ads", "email"])
                shop.come(str(name), channel, day_of_visit)
            rare = dice.choice(["tea", "toys", "hats", "books"])
            shop.buy(str(name), usual if dice.random() < 0.85 else rare, day)
        for _ in range(dice.randint(0, 3)):
            attribute, value = dice.choice(
                [("interest", "men"), ("interest", "toys"), ("channel", "email")]
            )
            shop.say(str(name), attribute, value, dice.randint(0, 390))
    for name in range(20):  # cookies on which one after the other logs in
        event = {"event_type": "page_view", "anonymous_id": f"cookie {name}"}
        for number, day in enumerate(dice.sample(range(390), 6)):
            origin = {"channel": dice.choice(["ads", "email"]), "campaign": "any"}
            known = {"customer_id": str(dice.randint(0, 29))} if number < 2 else origin
            shop.add("events", event_id=f"{name} {number}", occurred_at=at(day), **event, **known)
    lax = {"profile_purchases": 2, "profile_days": 20, "shop_purchases": 5, "rare_percent": 30}
    lax |= {"contradicting_acts": 2}
    final = rows(shop.build(tmp_path, **lax), ASKED)
    assert len(final) > 20
    for day in (150, 230, 310):
        then = rows(shop.build(tmp_path, as_of=on(day), **lax), ASKED)
        expected = []
        for *asked, closed, because in final:
            if asked[1] <= on(day):
                is_closed = closed is not None and closed <= on(day)
                expected.append((*asked, *((closed, because) if is_closed else (None, None))))
        assert then == expected
