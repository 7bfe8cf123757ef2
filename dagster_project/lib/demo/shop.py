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

from dagster_project.lib.demo import (
    activity,
    activity_sql,
    planting,
    preferences,
    referrals,
    sql,
    stages,
)
from dagster_project.lib.demo.files import Files
from dagster_project.lib.demo.world import (
    CATEGORIES,
    CHANNELS,
    SEARCH_TERMS,
    TERMS_WITH_RESULTS,
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
        days = {"first_day": world.first_day, "last_day": world.last_day}
        con.execute(sql.MACROS.format(**days, planted=planting.PERIOD))
        con.execute(activity_sql.STEPS.format(terms=list(SEARCH_TERMS), seed=seed))
        with Files(folder / "_truth", con) as truth:
            _write_once(world, export, truth, customers, seed)
            for first in range(0, customers, CHUNK):
                size = min(CHUNK, customers - first)
                simulated = simulate(world, seed, first, size)
                _register(con, simulated)
                con.execute(sql.CHUNK_TABLES)
                for name, query in _periods(world, sql.EXPORTS):
                    export.append(name, query)
                for name, query in sql.TRUTH.items():
                    truth.append(name, query)
                _write_activity(world, export, truth, simulated, seed, first)
                orders += len(simulated["sold"]["is_valid"])
                valid_orders += int(simulated["sold"]["is_valid"].sum())
                progress(first + size, customers)
            planted_orders = _write_planted(world, export, truth)
            truth.append("experiments.parquet", activity_sql.EXPERIMENTS)
            _plant_malformed(world, export, truth)
            files = [{"file": name, "records": n} for name, n in sorted(export.records.items())]
            truth.append_rows("files.parquet", files)
    size_bytes = sum(path.stat().st_size for path in (folder / "demo").iterdir())
    orders, valid_orders = orders + planted_orders, valid_orders + planted_orders
    return ShopSummary(customers, orders, valid_orders, export.records, size_bytes)


def _register(con: duckdb.DuckDBPyConnection, tables: dict[str, stages.Columns]) -> None:
    for name, columns in tables.items():
        con.register(name, pa.table({k: pa.array(v) for k, v in columns.items()}))


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


def _write_activity(
    world: World,
    export: Files,
    truth: Files,
    simulated: dict[str, stages.Columns],
    seed: int,
    first: int,
) -> None:
    """What the customers of a chunk do beside their orders, block by block."""
    people, sold = simulated["people"], simulated["sold"]
    late = {"late_from": world.end - 60 * 86400, "late_until": world.end - 12 * 86400}
    for start in range(0, len(people["person"]), activity.BLOCK):
        block = range(start, min(start + activity.BLOCK, len(people["person"])))

        def random(stage: str, start: int = start) -> np.random.Generator:
            key = (crc32(stage.encode()), first // CHUNK, start // activity.BLOCK)
            return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

        _register(
            export.con,
            {
                "visits": activity.visits(random("visits"), world, people, sold, block),
                "bots": activity.bots(random("bots"), world, people, block),
                "shipped": activity.shipments(random("shipments"), world, sold, block),
                "reviewed": activity.reviews(random("reviews"), world, sold, block),
                "surveyed": activity.surveys(random("surveys"), world, sold, block),
                "asked": activity.tickets(random("tickets"), world, sold, block),
                "invited": referrals.referrals(random("referrals"), world, people, sold, block),
                "stated": preferences.preferences(random("preferences"), world, people, block),
            },
        )
        export.con.execute(activity_sql.EVENTS.format(known_terms=TERMS_WITH_RESULTS, **late))
        export.con.execute(activity_sql.COUNT_EXPERIMENTS)
        for name, query in _periods(world, activity_sql.EXPORTS):
            export.append(name, query)
        for name, query in activity_sql.TRUTH.items():
            truth.append(name, query)


def _write_planted(world: World, export: Files, truth: Files) -> int:
    """The planted persons in files of their own; returns the number of their orders."""
    planted = planting.Planting(world)
    if not planted.cast.persons:
        return 0
    for name, table in planted.tables().items():
        export.con.register(name if name != "events" else "planted_events", table)
    export.con.execute(
        sql.CHUNK_TABLES + "create or replace temp table events as from planted_events"
    )
    names = {"year": "planted", "late": "_planted", "planted": "_planted"}
    for name, query in (sql.EXPORTS | activity_sql.EXPORTS).items():
        if "{" not in name:
            name = name.replace(".csv", "_planted.csv")
        elif "{planted}" not in name:
            query = query.format(period=planting.PERIOD, is_late="false")
        export.append(name.format(**names), query)
    export.append("products_planted.csv", sql.PRODUCTS)
    for is_late in (False, True):
        name = f"customers_planted{'_late' if is_late else ''}.csv"
        export.append(name, activity_sql.ACCOUNTS.format(is_late=is_late))
    for queries in (sql.TRUTH, activity_sql.TRUTH):
        for name, query in queries.items():
            truth.append(name, query)
    truth.append_rows("planted_transitions.parquet", planted.steps())
    truth.append_rows("planted_states.parquet", planted.states())
    truth.append_rows("planted_advocacy.parquet", planted.advocacy())
    truth.append_rows("planted_preferences.parquet", planted.preferences())
    truth.append_rows("planted_questions.parquet", planted.questions())
    truth.append_rows("identity_pairs.parquet", planted.pairs)
    _plant(truth, planted.notes)
    return len(planted.sold)


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
    key = (crc32(b"spend"), 0)
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    _register(export.con, {"spent": activity.spend(random, world, customers)})
    export.append("marketing_spend.csv", activity_sql.SPEND)

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


def _periods(world: World, exports: dict[str, str]) -> Iterator[tuple[str, str]]:
    """File and query of everything that a chunk adds to the exports."""
    late = f"late_{world.last_day}"
    periods = {0: late} | {year: str(year) for year in dict.fromkeys(world.years.tolist())}
    for name, query in exports.items():
        if "{year}" in name:
            for period, label in periods.items():
                yield name.format(year=label), query.format(period=period)
        elif "{late}" in name:
            yield name.format(late=""), query.format(is_late="false")
            yield name.format(late=f"_{late}"), query.format(is_late="true")
        else:
            yield name.format(planted=""), query


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
    person = f"C999999999,malformed@example.com,Lomira,Tave,Jr.,,DE,de,direct,no,no,{stamp}"
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
