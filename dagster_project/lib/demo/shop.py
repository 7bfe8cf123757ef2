"""Writes the synthetic shop: simulates it chunk by chunk, appending each to the export files."""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from zlib import crc32

import duckdb
import numpy as np
import pyarrow as pa

from dagster_project.lib.demo import sql, stages
from dagster_project.lib.demo.files import Files
from dagster_project.lib.demo.world import (
    CATEGORIES,
    CHANNELS,
    TIERS,
    TIME_ZONE,
    World,
    channel_factors,
    tier_prices,
)
from dagster_project.lib.errors import InputError

CHUNK = 100_000  # customers; part of what a seed means, so never derived from the machine
ORDER_NUMBERS_PER_CHUNK = 10_000_000
LEAST_CUSTOMERS, LEAST_DAYS = 500, 30
SETTINGS = f"""\
# This shop is synthetic: nobody in it exists. The truth about it is in _truth/, ignored by intake.
time_zone = "{TIME_ZONE}"
reporting_currency = "EUR"
"""


@dataclass(frozen=True)
class ShopSummary:
    """What was written; `records` counts those of each file, repeated and malformed ones too."""

    customers: int
    orders: int
    valid_orders: int
    records: dict[str, int]
    size_bytes: int


def write_shop(
    landing: Path,
    *,
    customers: int = 5000,
    days: int = 1095,
    seed: int = 1,
    last_day: date = date(2025, 12, 31),
    progress: Callable[[int, int], None] | None = None,
) -> ShopSummary:
    """Writes a synthetic shop into `landing`: demo/, _truth/ and, if there is none, regulars.toml.

    The same arguments give the same bytes. Memory does not grow with `customers`. `progress` is
    called with the customers done and their total. Raises InputError for a shop that is too small,
    and where demo/ is not an earlier synthetic shop.
    """
    if customers < LEAST_CUSTOMERS:
        raise InputError(f"customers is {customers}; the synthetic shop needs {LEAST_CUSTOMERS}")
    if days < LEAST_DAYS:
        raise InputError(f"days is {days}; the synthetic shop needs {LEAST_DAYS}")
    export, truth = landing / "demo", landing / "_truth"
    if export.exists() and not (truth / "parameters.parquet").exists():
        raise InputError(f"{export} holds no synthetic shop; move it away or name another folder")

    landing.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=landing, prefix="_demo_") as temporary:
        folder = Path(temporary)
        world = World(days, last_day)
        summary = _write(folder, world, customers, seed, progress or (lambda done, total: None))
        for target in (export, truth):
            if target.exists():
                target.rename(folder / f"old_{target.name}")
            (folder / target.name).rename(target)
    settings = landing / "regulars.toml"
    if not settings.exists():
        settings.write_text(SETTINGS)
    return summary


def _write(
    folder: Path, world: World, customers: int, seed: int, progress: Callable[[int, int], None]
) -> ShopSummary:
    orders = valid_orders = 0
    with duckdb.connect() as con, Files(folder / "demo", con) as export:
        con.execute(f"set TimeZone = '{TIME_ZONE}'; set enable_progress_bar = false")
        con.execute(sql.MACROS.format(first_day=world.first_day, last_day=world.last_day))
        with Files(folder / "_truth", con) as truth:
            _write_once(world, export, truth, customers, seed)
            for first in range(0, customers, CHUNK):
                size = min(CHUNK, customers - first)
                simulated = simulate(world, seed, first, size)
                for name, columns in simulated.items():
                    con.register(name, pa.table({k: pa.array(v) for k, v in columns.items()}))
                con.execute(sql.CHUNK_TABLES)
                for name, query in _chunk_exports(world):
                    export.append(name, query)
                for name, query in sql.TRUTH.items():
                    truth.append(name, query)
                orders += len(simulated["sold"]["is_valid"])
                valid_orders += int(simulated["sold"]["is_valid"].sum())
                progress(first + size, customers)
            _plant_malformed(world, export, truth)
            files = [{"file": name, "records": n} for name, n in sorted(export.records.items())]
            truth.append_rows("files.parquet", files)
    size_bytes = sum(path.stat().st_size for path in (folder / "demo").iterdir())
    return ShopSummary(customers, orders, valid_orders, export.records, size_bytes)


def simulate(world: World, seed: int, first: int, size: int) -> dict[str, stages.Columns]:
    """The customers `first` to `first + size` and all they do."""

    def random(stage: str) -> np.random.Generator:
        key = (crc32(stage.encode()), first // CHUNK)
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

    people = stages.customers(random("customers"), world, first, size)
    bought, outcome = stages.purchases(random("purchases"), world, people)
    first_number = first // CHUNK * ORDER_NUMBERS_PER_CHUNK + 1
    sold = stages.orders(random("orders"), world, people, bought, first_number)
    items = stages.lines(random("lines"), world, people, sold)
    paid = stages.payments(random("payments"), world, sold)
    refunded = stages.refunds(random("refunds"), world, sold, items)
    arrival = stages.dirt(random("dirt"), world, sold)
    return {
        "people": people | outcome,
        "sold": sold | arrival,
        "items": items,
        "paid": paid,
        "refunded": refunded,
    }


def _write_once(world: World, export: Files, truth: Files, customers: int, seed: int) -> None:
    """What does not depend on the customers: products, rates, parameters, what is planted once."""
    number = np.arange(len(CATEGORIES) * TIERS)
    category, tier = np.array(CATEGORIES)[number // TIERS], number % TIERS
    products = {
        "number": number,
        "title": [f"{c.title()} no. {t + 1}" for c, t in zip(category, tier, strict=True)],
        "category": category,
        "price": tier_prices()[tier],
    }
    export.con.register("products", pa.table(products))
    export.append("products.csv.gz", sql.PRODUCTS)
    rates = {"day": list(world.rate_table), "rate": list(world.rate_table.values())}
    export.con.register("rates", pa.table(rates))
    export.append("exchange_rates.csv", sql.RATES)

    factors = zip(CHANNELS, channel_factors().tolist(), strict=True)
    parameters = {
        "seed": seed,
        "customers": customers,
        "days": world.days,
        "first_day": world.first_day,
        "last_day": world.last_day,
        **asdict(world.behaviour),
        **{f"rate_factor_{name}": factor for name, factor in factors},
    }
    truth.append_rows("parameters.parquet", [parameters])
    sales = [f"{first} to {last}" for first, last in world.sale_windows]
    planted = [("missing_rates", "exchange_rates.csv", "weekends", "the rate of Friday serves")]
    planted += [("sale_window", "", window, "more new customers, BLACK20") for window in sales]
    _plant(truth, planted)


def _chunk_exports(world: World) -> Iterator[tuple[str, str]]:
    """File and query of everything that a chunk adds to the exports."""
    late = f"late_{world.last_day}"
    periods = {0: late} | {year: str(year) for year in dict.fromkeys(world.years.tolist())}
    for name, query in sql.EXPORTS.items():
        if "{year}" in name:
            for period, label in periods.items():
                yield name.format(year=label), query.format(period=period)
        elif "{late}" in name:
            yield name.format(late=""), query.format(is_late="false")
            yield name.format(late=f"_{late}"), query.format(is_late="true")
        else:
            yield name, query


def _plant_malformed(world: World, export: Files, truth: Files) -> None:
    """Five records that cannot be loaded. Each has a key of its own, so that no total lacks it."""
    stamp = f"{world.last_day}T12:00:00+01:00"
    orders = f"orders_{world.last_day.year}.csv"
    amounts = "20.00,0.00,4.90,4.73,0.00"
    order = "{},,malformed@example.com,{},EUR,web,direct,,mobile,DE,," + amounts + ",{}," + stamp
    refund = {
        "refund_no": "RD9999999994",
        "order_no": None,
        "line_no": None,
        "account": "C000000001",
        "currency": "EUR",
        "reason": "changed_mind",
        "amount": 5,
        "refunded_at": f"{world.last_day.year}-02-30T12:00:00+01:00",
    }
    payment = f'D9999999993,D9999999993-1,card,"12,50",0.42,{stamp}'
    person = f"C999999999,malformed@example.com,Lomira,Tave,Jr.,DE,de,direct,no,{stamp}"
    records = [
        (orders, "D9999999991", order.format("D9999999991", "complete", ""), "no order date"),
        (orders, "D9999999992", order.format("D9999999992", "teleported", stamp), "unknown status"),
        ("payments.csv.gz", "D9999999993-1", payment, "decimal comma"),
        ("refunds.jsonl", "RD9999999994", json.dumps(refund), "impossible date"),
        ("customers.csv", "C999999999", person, "a field too many"),
    ]
    for file, _, record, _ in records:
        export.append_record(file, record)
    _plant(truth, [("malformed", file, key, note) for file, key, _, note in records])


def _plant(truth: Files, rows: list[tuple[str, str, str, str]]) -> None:
    names = ("kind", "file", "key", "note")
    rows_by_name = [dict(zip(names, row, strict=True)) for row in rows]
    truth.append_rows("planted.parquet", rows_by_name)
