"""Health scores of small shops, some of which can be worked out in the head."""

import csv
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.settings import DBT_DIR, PROJECT_ROOT, Settings
from tests.shops import rebuild, rows, settings_of, write_csv

LAST = date(2025, 6, 30)
MARTS = ("fct_customer_health", "fct_health_backtests")


def shop(folder: Path, bought: list[tuple[str, int]]) -> Settings:
    """Orders of customers so many days before as_of, and nothing else."""
    orders = [
        {
            "order_id": number,
            "customer_id": customer,
            "ordered_at": f"{LAST - timedelta(days=ago)} 12:00:00",
            "merchandise_amount": "10",
        }
        for number, (customer, ago) in enumerate(bought)
    ]
    write_csv(folder / "landing" / "orders.csv", orders)
    return settings_of(folder / "landing", folder / "warehouse", connectors="files")


def test_a_young_shop_of_orders_alone_has_a_score_of_what_is_known_and_no_grades(
    tmp_path: Path,
) -> None:
    """Of gaps of 30, 30, 20 and 30 days the next is expected to be 30, where there are fewer 60."""
    regular = [("regular", ago) for ago in (130, 100, 70, 50, 20)]
    settings = shop(tmp_path, [*regular, ("once", 20), ("twice", 100), ("twice", 20)])
    components = "recency_score, frequency_score, breadth_score, engagement_score, experience_score"
    query = f"select customer_id, {components}, health_score from fct_customer_health order by 1"
    built = rebuild(settings, as_of=LAST, marts=MARTS)
    assert rows(built, query) == [
        ("once", 75, 25, None, None, None, pytest.approx((40 * 75 + 30 * 25) / 70)),
        ("regular", 60, 100, None, None, None, pytest.approx((40 * 60 + 30 * 100) / 70)),
        ("twice", 75, 50, None, None, None, pytest.approx((40 * 75 + 30 * 50) / 70)),
    ]
    assert rows(built, "from fct_health_backtests") == []


def busy_shop(folder: Path) -> Settings:
    """A hundred customers at random: orders of some categories, ratings, and visits on cookies
    that are known to be theirs from the first login on, until somebody else logs in there."""
    chance = random.Random(7)
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("orders", "order_lines", "reviews", "events")
    }
    for customer in range(100):
        day = chance.randrange(300)
        while day < 600:
            order = {"order_id": str(len(tables["orders"])), "customer_id": f"c{customer}"}
            ordered = LAST - timedelta(days=600 - day)
            tables["orders"].append(order | {"ordered_at": f"{ordered} 12:00:00"})
            line = {"order_id": order["order_id"], "line_number": 1, "quantity": 1}
            category = chance.choice(("tea", "cups", "pots", "books", ""))
            tables["order_lines"].append(line | {"unit_price": 10, "category": category})
            if chance.random() < 0.4:
                written = ordered + timedelta(days=chance.randrange(40))
                review = {"review_id": f"r{order['order_id']}", "rating": chance.randint(1, 5)}
                tables["reviews"].append(order | review | {"reviewed_at": f"{written} 12:00:00"})
            day += 1 + int(chance.expovariate(1 / 60))
        for _ in range(chance.randrange(20)):
            seen = LAST - timedelta(days=chance.randrange(600))
            is_here = chance.random() < 0.5
            visit = {"event_id": len(tables["events"]), "event_type": "page_view"}
            visit |= {"anonymous_id": f"v{customer // 2 if is_here else customer + 100}"}
            login = f"c{customer}" if chance.random() < 0.3 else ""
            tables["events"].append(
                visit | {"customer_id": login, "occurred_at": f"{seen} {chance.randrange(24)}:00"}
            )
    for name, lines in tables.items():
        write_csv(folder / "landing" / f"{name}.csv", lines)
    return settings_of(folder / "landing", folder / "warehouse", connectors="files")


def test_a_score_of_a_past_cut_off_is_todays_score_of_a_build_as_of_it(tmp_path: Path) -> None:
    settings = busy_shop(tmp_path)
    columns = """
        customer_id, recency_score, frequency_score, breadth_score, engagement_score,
        experience_score, health_score, expected_gap_days, days_since_last_purchase
    """
    rebuild(settings, as_of=LAST, marts=MARTS)
    with duckdb.connect(str(settings.build_file)) as connection:
        scores = connection.execute(
            f"select cut_off_date, {columns} from intermediate.int_health__scores order by all"
        ).fetchall()
    cut_off = date(2025, 2, 28)
    then = [row[1:] for row in scores if row[0] == cut_off]
    today = {row[1]: row[2:] for row in scores if row[0] == LAST}
    built = rebuild(settings, as_of=cut_off, marts=MARTS)
    assert rows(built, f"select {columns} from fct_customer_health order by all") == then
    assert all(len({row[place] for row in then}) > 2 for place in range(1, 9))
    assert not set(today.items()) & {(row[0], row[1:]) for row in then}


WEIGHTS = (PROJECT_ROOT / "seeds" / "health_weights.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        ({}, 0),
        ({"recency": "-1", "frequency": "30"}, 1),
        (dict.fromkeys(("recency", "frequency", "breadth", "engagement", "experience"), "0"), 5),
        ({"recency": "0", "frequency": "0", "breadth": "0", "engagement": "0"}, 0),
        ({"recency": None}, 4),
    ],
)
def test_weights_that_make_no_score_are_named(changed: dict[str, str | None], lines: int) -> None:
    test = DBT_DIR / "tests" / "assert_health_weights_make_a_score.sql"
    weights = [
        (row["component"], changed.get(row["component"], row["weight"]), row["full_at"] or None)
        for row in csv.DictReader(WEIGHTS.splitlines())
        if changed.get(row["component"], row["weight"])
    ]
    with duckdb.connect() as connection:
        connection.execute("create table weights (component text, weight double, full_at double)")
        connection.executemany("insert into weights values (?, ?, ?)", weights)
        sql = test.read_text(encoding="utf-8").replace('{{ ref("health_weights") }}', "weights")
        assert len(connection.execute(sql).fetchall()) == lines
