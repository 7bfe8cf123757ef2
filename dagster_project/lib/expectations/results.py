"""What a check found: the shape that every check ends in, how it is said, where it is kept."""

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import duckdb

from dagster_project.lib.settings import Settings


@dataclass(frozen=True)
class CheckResult:
    """One check of one run; `failing_rows` is a file with up to 1,000 of them."""

    check_id: str
    layer: str
    table_name: str
    expectation: str
    severity: str
    passed: bool
    observed: str
    description: str
    run_id: str
    failing_rows: Path | None = None


MAX_FAILING_ROWS = 1000
_COLUMNS = [field.name for field in fields(CheckResult) if field.name != "failing_rows"]


def keep_failing_rows(
    connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[object], path: Path
) -> Path | None:
    """Write up to 1,000 rows of a query to a private CSV file; None where there is none to ask."""
    if not query:
        return None
    try:
        found = connection.execute(f"select * from ({query}\n) limit {MAX_FAILING_ROWS}", values)
        rows = [[column[0] for column in found.description or []], *found.fetchall()]
    except duckdb.Error:  # the check has failed with or without them
        return None
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def failure_message(results: Iterable[CheckResult]) -> str:
    """One line per failed critical check; empty where there is none."""
    return "\n".join(
        f"{result.layer}.{result.table_name}: {result.expectation}: {result.observed}"
        + (f"; failing rows in {result.failing_rows}" if result.failing_rows else "")
        + ("" if result.check_id.endswith(result.description) else f" ({result.description})")
        for result in results
        if not result.passed and result.severity == "critical"
    )


def write_results(settings: Settings, results: Iterable[CheckResult]) -> Path:
    """Replace the results that dbt reads by these: all of the run so far."""
    path = _path(settings)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    types = {name: "boolean" if name == "passed" else "varchar" for name in _COLUMNS}
    columns = ", ".join(f"{name} {type_}" for name, type_ in types.items())
    rows = [[getattr(result, name) for name in _COLUMNS] for result in results]
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with duckdb.connect() as connection:
        connection.execute(f"create table results ({columns})")
        if rows:
            marks = ", ".join("?" * len(_COLUMNS))
            connection.executemany(f"insert into results values ({marks})", rows)
        connection.table("results").write_parquet(str(temporary))
    temporary.chmod(0o600)
    temporary.replace(path)
    return path


def read_results(settings: Settings) -> list[CheckResult]:
    """What write_results has kept, without the files of failing rows."""
    path = _path(settings)
    if not path.exists():
        return []
    with duckdb.connect() as connection:
        rows = connection.read_parquet(str(path)).select(*_COLUMNS).fetchall()
    return [CheckResult(*row) for row in rows]


def _path(settings: Settings) -> Path:
    return settings.raw_dir / "quality" / "check_results" / "results.parquet"


def first_line(message: str) -> str:
    """The line of an error that says what is wrong, without the value that a cast quotes."""
    line = re.sub(r"^\(\S+\) ", "", message.strip().partition("\n")[0])
    return re.sub(r"'.*'", "'...'", line) if line.startswith("Conversion Error") else line
