"""The second engine: one shop, built by DuckDB and by Spark, every mart compared cell by cell."""

import math
import os
import shutil
import subprocess
import sys
from dataclasses import is_dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from dagster_project.lib.activation.contacts import record_file, write_record
from dagster_project.lib.dbt import read_manifest
from dagster_project.lib.demo.shop import write_shop
from dagster_project.lib.engine import Engine
from dagster_project.lib.ltv.inputs import read
from dagster_project.lib.settings import DBT_DIR, Settings
from tests.shops import environment, rebuild, settings_of

MARTS = sorted(
    node["name"]
    for node in read_manifest()["nodes"].values()
    if node["resource_type"] == "model"
    and node["schema"] == "marts"
    and "quality" not in node["fqn"]  # they tell of the run and not of the shop
)
# Made for a small shop on one machine, where to compile a query takes longer than to run it as it
# is; what decides figures stands in the profile. Two partitions: no order of rows can be relied on.
# Without the second compiler Java keeps a fifth of its code cache, which the build fills: then it
# stops compiling, and may end where it needs room for an adapter.
SMALL_SPARK = """
spark.master                   local[2]
spark.sql.shuffle.partitions   2
spark.sql.adaptive.enabled     false
spark.sql.codegen.wholeStage   false
spark.sql.codegen.factoryMode  NO_CODEGEN
spark.ui.enabled               false
spark.driver.extraJavaOptions  -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m \
                               -XX:+UseSerialGC
"""


def build_on_spark(settings: Settings, folder: Path) -> None:
    """dbt with the target spark in a process of its own, which takes its Java with it."""
    (folder / "spark-defaults.conf").write_text(SMALL_SPARK, encoding="utf-8")
    target = str(settings.build_dir / "dbt" / "spark")
    command = ["build", "--target", "spark", "--exclude-resource-type", "test", "unit_test"]
    folders = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR)]
    outputs = ["--target-path", target, "--log-path", target]
    result = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", *command, *folders, *outputs],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(
            REGULARS_WAREHOUSE=str(settings.warehouse),
            SPARK_CONF_DIR=str(folder),
            SPARK_LOCAL_IP="127.0.0.1",
        ),
        timeout=600,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[:5000]


def record_contacts(settings: Settings) -> None:
    """As if every account had been in an export, or held out of it."""
    accounts = settings.landing / "demo" / "customers.csv"
    query = f"""
        select
            'hero' as audience, customer_number as customer_id, 'email' as channel,
            customer_number like '%3' as is_holdout, 0.1 as holdout_share,
            date '2025-06-01' as contact_date, timestamp '2025-06-01 05:00:00' as recorded_at
        from read_csv('{accounts}', all_varchar = true, ignore_errors = true)
    """
    with duckdb.connect() as connection:
        write_record(connection, query, record_file(settings, "hero", date(2025, 6, 1)))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The warehouse of a synthetic shop, built by both engines from the same raw files."""
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("Spark needs Java, and none is installed: the engines are not compared")
    folder = tmp_path_factory.mktemp("spark")
    write_shop(folder / "landing", customers=500, seed=5)
    settings = settings_of(folder / "landing", folder / "warehouse")
    record_contacts(settings)
    rebuild(settings)
    build_on_spark(settings, folder)
    return settings


Table = tuple[list[tuple[str, str]], list[tuple[Any, ...]]]  # columns with types; rows


def table(connection: duckdb.DuckDBPyConnection, sql: str) -> Table:
    answer = connection.execute(sql)
    return [(name, str(kind)) for name, kind, *_ in answer.description or []], answer.fetchall()


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return type(one) is type(other) and bool(one == other)


def differing_cells(one: Table, other: Table) -> list[str]:
    """Cells in which two tables differ; their columns have the same names and types."""
    columns, rows = one
    other_columns, other_rows = other
    assert columns == other_columns
    assert len(rows) == len(other_rows)
    exact = [number for number, (_, kind) in enumerate(columns) if kind != "DOUBLE"]

    def place(row: tuple[Any, ...]) -> list[str]:
        return [repr(row[number]) for number in exact]

    pairs = zip(sorted(rows, key=place), sorted(other_rows, key=place), strict=True)
    return [
        f"{name}: {cell} and {other_cell} in {row}"
        for row, other_row in pairs
        for (name, _), cell, other_cell in zip(columns, row, other_row, strict=True)
        if not equal(cell, other_cell)
    ]


@pytest.mark.spark
@pytest.mark.parametrize("mart", MARTS)
def test_a_mart_has_the_same_cells_on_both_engines(shop: Settings, mart: str) -> None:
    with duckdb.connect(str(shop.published_file), read_only=True) as connection:
        files = shop.build_dir / "spark" / "marts.db" / mart / "*.parquet"
        by_spark = table(connection, f"from read_parquet('{files}')")
        by_duckdb = table(connection, f"from marts.{mart}")
    assert by_duckdb[1], "an empty mart compares nothing"
    assert differing_cells(by_duckdb, by_spark) == []


@pytest.mark.spark
def test_the_fit_reads_the_same_from_both_engines(shop: Settings) -> None:
    assert flat(read(shop, Engine.spark)) == flat(read(shop, Engine.duckdb))


def flat(inputs: Any) -> Any:
    """All that is in dataclasses, tuples and arrays, as lists."""
    if is_dataclass(inputs):
        return [flat(value) for value in vars(inputs).values()]
    if isinstance(inputs, list | tuple):
        return [flat(value) for value in inputs]
    return inputs.tolist() if isinstance(inputs, np.ndarray) else inputs


@pytest.mark.parametrize(
    "altered",
    [
        ("b", Decimal("1.001"), 0.5),
        ("a", Decimal("1.002"), 0.5),
        ("a", None, 0.5),
        ("a", Decimal("1.001"), 0.50000001),
        ("a", Decimal("1.001"), None),
    ],
)
def test_the_comparison_sees_one_altered_cell(altered: tuple[Any, ...]) -> None:
    columns = [("key", "VARCHAR"), ("amount", "DECIMAL(18,3)"), ("rate", "DOUBLE")]
    row, other_row = ("a", Decimal("1.001"), 0.5), ("c", Decimal("2.000"), None)
    whole = columns, [row, other_row]
    assert differing_cells(whole, (columns, [other_row, row])) == []
    assert len(differing_cells(whole, (columns, [other_row, altered]))) == 1
