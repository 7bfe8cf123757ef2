"""A run as of a past date equals a run on the data that stood there then.

The landing files are cut here, by the day that each record itself names: orders by their day, their
items with them, everything else by its own; what is told of it later, such as a delivery or an
answer, is blanked. Nothing undated is cut: products, and an order's state and e-mail, are as last
delivered. Every mart must be equal. Exempt are the quality
marts, which describe the run: its files, rejects, checks, and the sums of what it was given.
"""

import csv
import gzip
import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dagster_project.lib.errors import InputError
from tests.shops import contents, rebuild, rows, settings_of, write_csv

Keep = Callable[[dict[str, Any]], bool]
# file -> when a record of it was made, when it was completed, and what was known only then
DATED = {
    "payments": ("paid_at", None, ()),
    "customers": ("registered_at", None, ()),
    "refunds": ("refunded_at", None, ()),
    "reviews": ("written_at", None, ()),
    "shipments": ("handed_over_at", "delivered_at", ()),
    "survey_answers": ("sent_at", "answered_at", ("score",)),
    "support_tickets": ("opened_at", "closed_at", ("satisfaction",)),
}


def cut_csv(
    source: Path, target: Path, keep: Keep, blank: Callable[[dict[str, Any]], None] | None = None
) -> list[dict[str, str]]:
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        kept = [line for line in reader if None not in line and keep(line)]
        for line in kept if blank else ():
            blank(line)
        names = list(reader.fieldnames or ())
    with opened(target, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(kept)
    return kept


def cut_demo(source: Path, target: Path, last_day: date) -> None:
    """The synthetic shop's exports as they would have been on the evening of `last_day`.

    Its stamps carry the offset of the shop's own clock, so that their date is the shop's.
    """
    (target / "demo").mkdir(parents=True)
    (target / "regulars.toml").write_text((source / "regulars.toml").read_text())

    def is_known(stamp: str | None) -> bool:
        return (stamp or "")[:10] <= last_day.isoformat()

    orders = {
        line["order_no"]
        for path in sorted((source / "demo").glob("orders_*.csv"))
        for line in cut_csv(
            path, target / "demo" / path.name, lambda line: is_known(line["placed_at"])
        )
    }
    known_orders = orders | {None, ""}
    for path in sorted((source / "demo").iterdir()):
        cut = target / "demo" / path.name
        entity = next((name for name in DATED if path.name.startswith(name)), None)
        if path.name.startswith("orders_"):
            continue
        elif path.name.startswith("order_items_"):
            items = pq.read_table(path)
            pq.write_table(items.filter(pc.field("order_no").isin(orders)), cut)
        elif path.name.startswith("events_"):
            events = pq.read_table(path)
            end = datetime.combine(last_day + timedelta(days=1), time(), ZoneInfo("Europe/Berlin"))
            pq.write_table(events.filter(pc.field("happened_at") < end), cut)
        elif path.name == "exchange_rates.csv" or path.name == "marketing_spend.csv":
            cut_csv(path, cut, lambda line: day_of(line["day"]) <= last_day)
        elif entity:
            made, completed, late = DATED[entity]

            def keep(line: dict[str, Any], made: str = made) -> bool:
                return is_known(line[made]) and line.get("order_no") in known_orders

            def blank(
                line: dict[str, Any],
                completed: str | None = completed,
                late: tuple[str, ...] = late,
            ) -> None:
                if completed and not is_known(line[completed]):
                    line |= dict.fromkeys((completed, *late))

            if path.suffix == ".jsonl":
                lines = [line for line in map(json.loads, path.open()) if keep(line)]
                for line in lines:
                    blank(line)
                cut.write_text("".join(json.dumps(line) + "\n" for line in lines))
            else:
                cut_csv(path, cut, keep, blank)
        else:
            cut.write_bytes(path.read_bytes())


def day_of(text: str) -> date:
    day, month, year = map(int, text.split("."))
    return date(year, month, day)


@pytest.mark.parametrize(
    "last_day",
    [
        date(2024, 2, 29),
        pytest.param(date(2025, 2, 28), marks=pytest.mark.long),
        pytest.param(date(2025, 6, 18), marks=pytest.mark.long),
    ],
    ids=str,
)
def test_a_past_date_of_the_synthetic_shop(
    demo_landing: Path, tmp_path: Path, last_day: date
) -> None:
    """The leap day; the end of a February without one; a Wednesday in the middle of a month."""
    cut_demo(demo_landing, tmp_path / "cut", last_day)
    past = rebuild(settings_of(demo_landing, tmp_path / "past"), as_of=last_day)
    then = rebuild(settings_of(tmp_path / "cut", tmp_path / "then"), as_of=last_day)
    assert contents(past) == contents(then)
    ((latest, unbalanced),) = rows(
        past,
        "select max(order_date), (select count(*) from fct_reconciliation where not is_balanced)"
        " from fct_orders",
    )
    assert latest <= last_day
    assert unbalanced == 0


def test_a_past_date_of_cdnow(real_data: Path, tmp_path: Path) -> None:
    landing = tmp_path / "cut"
    landing.mkdir()
    for path in (real_data / "cdnow").glob("*.txt"):
        lines = path.read_text().splitlines(keepends=True)
        # The date stands before pieces and value.
        kept = [line for line in lines if line.split()[-3] <= "19970930"]
        (landing / path.name).write_text("".join(kept))
    last_day = date(1997, 9, 30)
    given = {"connectors": "cdnow", "count_zero_value_orders": True}
    past = rebuild(settings_of(real_data / "cdnow", tmp_path / "past", **given), as_of=last_day)
    then = rebuild(settings_of(landing, tmp_path / "then", **given), as_of=last_day)
    assert contents(past) == contents(then)


def test_payments_and_shipments_after_a_past_date_are_unseen(tmp_path: Path) -> None:
    """An order of 100: half paid and shipped for 7 on the day, the rest and for 9 the day after."""
    landing = tmp_path / "landing"
    order = {"order_id": 1, "ordered_at": "2025-03-31 10:00", "merchandise_amount": 100}
    write_csv(landing / "orders.csv", [order])
    today, tomorrow = "2025-03-31 23:00", "2025-04-01 00:00"
    write_csv(
        landing / "payments.csv",
        [
            {"order_id": 1, "payment_id": 1, "amount": 50, "fee_amount": 1, "paid_at": today},
            {"order_id": 1, "payment_id": 2, "amount": 50, "fee_amount": 2, "paid_at": tomorrow},
        ],
    )
    write_csv(
        landing / "shipments.csv",
        [
            {"order_id": 1, "shipment_id": 1, "cost_amount": 7, "shipped_at": today},
            {"order_id": 1, "shipment_id": 2, "cost_amount": 9, "shipped_at": tomorrow},
        ],
    )
    settings = settings_of(landing, tmp_path / "warehouse", connectors="files")
    rebuild(settings, as_of=date(2025, 3, 31))
    query = "select payment_amount::int, contribution_margin::int from fct_orders"
    assert rows(settings, query) == [(50, 100 - 1 - 7)]


def test_a_date_before_the_first_order_means_nothing(tmp_path: Path) -> None:
    """The first order is of the evening of 1 March in New York, 2 March in UTC."""
    line = {"order_id": 1, "ordered_at": "2025-03-01 20:30:00", "merchandise_amount": 9}
    write_csv(tmp_path / "landing" / "orders.csv", [line])
    (tmp_path / "landing" / "regulars.toml").write_text('time_zone = "America/New_York"\n')
    settings = settings_of(tmp_path / "landing", tmp_path / "warehouse", connectors="files")
    with pytest.raises(InputError) as caught:
        rebuild(settings, as_of=date(2025, 2, 28))
    assert str(caught.value) == "as_of 2025-02-28 is before the first order, which is of 2025-03-01"
    assert caught.value.exit_code == 2
