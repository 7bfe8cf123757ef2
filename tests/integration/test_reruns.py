"""What a second run, a copy of a file, a later file and the order of arrival change: only what
they should."""

import gzip
import random
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.publish.generations import current_id
from dagster_project.lib.settings import Settings
from tests.shops import contents, rebuild, rebuild_by_dbt, rows, settings_of, take_in, write_csv

AS_OF = date(2025, 6, 30)

Lines = Sequence[Mapping[str, object]]


def order(order_id: str, customer: str, day: str, amount: object, **more: object) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "customer_id": customer,
        "ordered_at": f"{day} 12:00:00",
        "merchandise_amount": amount,
        "order_status": "completed",
        "updated_at": "",
        **more,
    }


# o2 comes twice with a stamp of its change, o3 twice without one, o1 twice the same.
FIRST = [
    order("o1", "c1", "2025-01-10", 40),
    order("o2", "c2", "2025-02-03", 25, updated_at="2025-02-20 08:00:00", order_status="cancelled"),
    order("o3", "c1", "2025-02-14", 30),
]
SECOND = [
    order("o1", "c1", "2025-01-10", 40),
    order("o2", "c2", "2025-02-03", 25, updated_at="2025-02-05 08:00:00"),
    order("o3", "c1", "2025-02-14", 35),
    order("o4", "c3", "2025-03-01", 60),
]
LINES = [
    {"order_id": "o4", "line_number": 1, "product_id": "p1", "quantity": 2, "unit_price": 15},
    {"order_id": "o4", "line_number": 2, "product_id": "p2", "quantity": 1, "unit_price": 31},
]
REFUNDS = [
    {"refund_id": "r1", "order_id": "o4", "amount": 5, "refunded_at": "2025-04-02 09:00:00"},
    {"refund_id": "r2", "order_id": "gone", "amount": 2, "refunded_at": "2025-04-03 09:00:00"},
]
FILES: dict[str, Lines] = {
    "orders_1.csv": FIRST,
    "orders_2.csv": SECOND,
    "order_lines.csv": LINES,
    "refunds.csv": REFUNDS,
}
ORDERS = list(permutations(FILES))


def landed(folder: Path, files: Mapping[str, Lines]) -> Settings:
    """A landing folder of the connector `files`, taken in."""
    for name, lines in files.items():
        write_csv(folder / "landing" / name, lines)
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    take_in(settings, AS_OF)
    return settings


def shop(folder: Path, files: Mapping[str, Lines]) -> Settings:
    """And its marts."""
    return rebuild(landed(folder, files), as_of=AS_OF)


def copy_of(settings: Settings, folder: Path) -> Settings:
    """The same landing folder and warehouse in another place, to go on with."""
    shutil.copytree(settings.landing, folder / "landing")
    shutil.copytree(settings.warehouse, folder / "warehouse", symlinks=True)
    return settings_of(folder / "landing", folder / "warehouse", connectors="files")


def raw_rows(settings: Settings) -> dict[str, list[str]]:
    """Every raw row of the connector, but for when it was loaded."""
    tables = sorted((settings.raw_dir / "files").iterdir())
    query = "select * exclude (_loaded_at) from read_parquet('{}/*.parquet')"
    with duckdb.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(query.format(table)).fetchall()))
            for table in tables
        }


def ledger(settings: Settings) -> list[tuple[Any, ...]]:
    return rows(settings, "from fct_intake_files order by file")


@pytest.fixture(scope="module")
def all_at_once(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return shop(tmp_path_factory.mktemp("all_at_once"), FILES)


def test_the_shop_is_what_its_rows_say(all_at_once: Settings) -> None:
    """By hand: the latest version of an order counts, without stamps that of the later file."""
    found = rows(all_at_once, "select order_id, is_valid, net_sales from fct_orders order by 1")
    assert [(key, valid, float(net)) for key, valid, net in found] == [
        ("o1", True, 40.0),
        ("o2", False, 25.0),
        ("o3", True, 35.0),
        ("o4", True, 56.0),
    ]


def test_a_second_run_changes_nothing_but_the_generation(
    demo: Path, demo_landing: Path, tmp_path: Path
) -> None:
    """The first run by the command line, with Dagster and checks; the second on its warehouse."""
    shutil.copytree(demo, tmp_path / "warehouse", symlinks=True)
    settings = settings_of(demo_landing, tmp_path / "warehouse")
    first, files = current_id(settings), ledger(settings)
    raw = sorted(path.name for path in settings.raw_dir.rglob("*.parquet"))
    rebuild_by_dbt(settings)
    assert current_id(settings) != first
    assert contents(settings) == contents(demo)
    assert ledger(settings) == files
    assert sorted(path.name for path in settings.raw_dir.rglob("*.parquet")) == raw
    for mart in ("fct_rejected_rows", "fct_reconciliation"):
        assert sorted(map(repr, rows(settings, f"from {mart}"))) == sorted(
            map(repr, rows(demo, f"from {mart}"))
        )


def test_copies_of_a_file_change_nothing(all_at_once: Settings, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    shutil.copytree(all_at_once.landing, landing)
    second = (landing / "orders_2.csv").read_bytes()
    (landing / "orders_2.csv.gz").write_bytes(gzip.compress(second, 9))
    (landing / "orders_2b.csv.gz").write_bytes(gzip.compress(second, 1, mtime=7))
    shutil.copy(landing / "refunds.csv", landing / "refunds-copy.csv")
    settings = rebuild(
        settings_of(landing, tmp_path / "warehouse", connectors="files"), as_of=AS_OF
    )
    assert contents(settings) == contents(all_at_once)
    found = rows(
        settings,
        "select file, duplicate_of, loaded from fct_intake_files"
        " where status = 'duplicate' order by file",
    )
    assert found == [
        ("orders_2.csv.gz", "orders_2.csv", 0),
        ("orders_2b.csv.gz", "orders_2.csv", 0),
        ("refunds.csv", "refunds-copy.csv", 0),
    ]


def test_a_file_renamed_and_recompressed_between_runs_changes_nothing(
    all_at_once: Settings, tmp_path: Path
) -> None:
    settings = copy_of(all_at_once, tmp_path)
    packed = gzip.compress((settings.landing / "orders_2.csv").read_bytes())
    (settings.landing / "orders_2.csv").unlink()
    (settings.landing / "orders_2b.csv.gz").write_bytes(packed)
    rebuild(settings, as_of=AS_OF)
    assert contents(settings) == contents(all_at_once)


def test_the_same_rows_in_overlapping_files_change_nothing(
    all_at_once: Settings, tmp_path: Path
) -> None:
    overlapping = {
        **FILES,
        "orders_3.csv": [SECOND[3], SECOND[2], SECOND[0]],
        "order_lines_2.csv": [LINES[1]],
        "refunds_2.csv": [REFUNDS[1], REFUNDS[0]],
    }
    settings = shop(tmp_path, overlapping)
    assert contents(settings) == contents(all_at_once)


def test_a_later_file_changes_only_what_it_speaks_of(all_at_once: Settings, tmp_path: Path) -> None:
    """An order of c3 on a day before his first, and one of a new customer."""
    settings = copy_of(all_at_once, tmp_path)
    write_csv(
        settings.landing / "orders_3.csv",
        [order("o5", "c3", "2025-01-20", 12), order("o6", "c9", "2025-05-05", 9)],
    )
    rebuild(settings, as_of=AS_OF)

    def changed(mart: str, key: str) -> set[Any]:
        """Keys of the rows that are new, gone or different."""
        query = f"select {key} as changed_key, * from marts.{mart}"
        return {row[0] for row in {*rows(all_at_once, query)} ^ {*rows(settings, query)}}

    january, march, may = date(2025, 1, 1), date(2025, 3, 1), date(2025, 5, 1)
    assert changed("fct_orders", "order_id") == {"o4", "o5", "o6"}  # o4 is now c3's second
    assert changed("fct_order_lines", "order_id") == {"o5", "o6"}
    assert changed("dim_customers", "customer_id") == {"c3", "c9"}
    assert changed("fct_sales_daily", "sales_date") == {date(2025, 1, 20), date(2025, 5, 5)}
    assert changed("fct_refunds", "refund_id") == set()
    assert changed("dim_products", "product_id") == set()
    # c3 has moved from the cohort of March to that of January.
    for mart in ("fct_ltv_windows", "fct_ltv_cohorts", "fct_retention_cohorts"):
        assert changed(mart, "cohort_month") == {january, march, may}, mart
    assert changed("fct_repeat_revenue_monthly", "month") == {january, march, may}


def test_a_replaced_file_replaces_what_it_had_brought(
    all_at_once: Settings, tmp_path: Path
) -> None:
    settings = copy_of(all_at_once, tmp_path / "replaced")
    replaced = {**FILES, "orders_2.csv": [order("o7", "c3", "2025-03-09", 11)]}
    write_csv(settings.landing / "orders_2.csv", replaced["orders_2.csv"])
    rebuild(settings, as_of=AS_OF)
    assert raw_rows(settings) == raw_rows(landed(tmp_path / "fresh", replaced))
    found = rows(settings, "select order_id, net_sales::double from fct_orders order by 1")
    assert found == [("o1", 40.0), ("o2", 25.0), ("o3", 30.0), ("o7", 11.0)]


def arrive(all_at_once: Settings, folder: Path, names: Sequence[str]) -> Settings:
    """One intake after each file; the raw rows must end as those of all files at once."""
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    for name in names:
        write_csv(settings.landing / name, FILES[name])
        take_in(settings, AS_OF)
    assert raw_rows(settings) == raw_rows(all_at_once), names
    return settings


@pytest.mark.parametrize("names", random.Random(2).sample(ORDERS, 4), ids=",".join)
def test_orders_of_arrival_end_at_the_same_rows(
    all_at_once: Settings, tmp_path: Path, names: Sequence[str]
) -> None:
    arrive(all_at_once, tmp_path, names)


@pytest.mark.long
@pytest.mark.parametrize("names", ORDERS, ids=",".join)
def test_every_order_of_arrival_ends_at_the_same_marts(
    all_at_once: Settings, tmp_path: Path, names: Sequence[str]
) -> None:
    settings = rebuild(arrive(all_at_once, tmp_path, names), as_of=AS_OF)
    assert contents(settings) == contents(all_at_once)


OF_SALES = (
    "fct_orders",
    "fct_order_lines",
    "fct_refunds",
    "fct_sales_daily",
    "fct_growth_accounting",
)


def test_publishing_between_arrivals_changes_nothing_in_the_end(
    all_at_once: Settings, tmp_path: Path
) -> None:
    """In the reverse order: refunds and lines before the orders that they are of."""
    settings = settings_of(tmp_path / "landing", tmp_path / "warehouse", connectors="files")
    first, second, third, fourth = reversed(FILES)
    for names in ((first, second, third), (fourth,)):
        for name in names:
            write_csv(settings.landing / name, FILES[name])
            take_in(settings, AS_OF)
        rebuild_by_dbt(settings, as_of=AS_OF, marts=OF_SALES)
        is_whole = contents(settings).items() <= contents(all_at_once).items()
        assert is_whole == (names == (fourth,))


def test_build_and_log_are_for_their_owner_only(demo: Path) -> None:
    for name in ("build.duckdb", "run.log"):
        assert (demo / "build" / name).stat().st_mode & 0o077 == 0
    assert (demo / "raw").stat().st_mode & 0o077 == 0
