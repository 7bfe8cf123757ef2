"""How long `regulars run` takes beside DuckDB alone on the same files.

DuckDB alone reads every file of the shop into typed tables and sums orders by customer: the least
that any warehouse must do. Usage: python benchmarks/run_against_duckdb.py [customers ...]
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from dagster_project.lib.demo.shop import write_shop

COMMAND = Path(sys.executable).with_name("regulars")


def seconds(work: Callable[[Path, Path], None], landing: Path, target: Path) -> float:
    start = time.perf_counter()
    work(landing, target)
    return time.perf_counter() - start


def duckdb_alone(landing: Path, file: Path) -> None:
    demo = landing / "demo"
    with duckdb.connect(str(file)) as connection:
        for entity in ("orders", "customers", "payments", "products", "exchange_rates"):
            files = f"read_csv('{demo}/{entity}*.csv*', ignore_errors = true, sample_size = -1)"
            connection.execute(f"create table {entity} as from {files}")
        files = f"read_parquet('{demo}/order_items*.parquet')"
        connection.execute(f"create table items as from {files}")
        connection.execute(f"create table refunds as from read_json('{demo}/refunds*.jsonl')")
        connection.execute(
            """
            create table by_customer as
            select
                coalesce(cast(customer_number as varchar), lower(contact_email)) as customer,
                count(distinct order_no) as orders,
                sum(pieces * list_price - coalesce(rebate, 0)) as value
            from orders join items using (order_no)
            group by 1
            """
        )


def regulars_run(landing: Path, warehouse: Path) -> None:
    command = [COMMAND, "run", "--landing", landing, "--warehouse", warehouse]
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    print("| customers | orders | files | DuckDB alone | first run | ratio | nothing new | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for customers in [int(text) for text in sys.argv[1:]] or [5_000, 100_000, 1_000_000]:
        with tempfile.TemporaryDirectory() as folder:
            landing, warehouse = Path(folder) / "landing", Path(folder) / "warehouse"
            shop = write_shop(landing, customers=customers)
            alone = seconds(duckdb_alone, landing, Path(folder) / "alone.duckdb")
            first = seconds(regulars_run, landing, warehouse)
            again = seconds(regulars_run, landing, warehouse)
            subprocess.run(["chmod", "-R", "u+w", folder], check=True)  # published files are sealed
        print(
            f"| {customers:,} | {shop.orders:,} | {shop.size_bytes / 1e6:,.0f} MB"
            f" | {alone:.1f} s | {first:.1f} s | {first / alone:.1f}"
            f" | {again:.1f} s | {again / alone:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
