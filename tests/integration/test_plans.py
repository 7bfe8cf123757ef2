"""How DuckDB computes the models: a cost of the square of a shop's size passes other tests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from tests.shops import queries_of_tables, settings_of

LOOPS = ("BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN", "CROSS_PRODUCT")
DAYS = (
    300  # more rows than a list of days or months to weigh has, fewer than the shop has customers
)


def test_no_model_compares_each_row_of_a_large_table_with_each_of_another(demo: Path) -> None:
    """A join finds its rows by hashing or sorting, unless one side is a row of settings or a list
    of dates. DuckDB loops where a condition mixes columns of both sides in one expression."""
    settings = settings_of(demo.parent / "landing", demo)
    loops = {}
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute(f"set file_search_path = '{settings.raw_dir}'")
        for name, query in queries_of_tables().items():
            row = connection.execute(f"explain (analyze, format json) {query}").fetchone()
            assert row is not None
            for operator in operators(json.loads(row[1])):
                if operator.get("operator_name") in LOOPS:
                    rows = [child["operator_cardinality"] for child in operator["children"]]
                    loops[name] = max(loops.get(name, 0), min(rows))
    assert loops, "no model has even a row of settings beside a table"
    assert {name: rows for name, rows in loops.items() if rows > DAYS} == {}


def operators(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for child in plan["children"]:
        yield child
        yield from operators(child)
