"""What a check found: the shape that every check ends in, how it is said, where it is kept."""

import os
import re
from collections.abc import Iterable
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


_COLUMNS = [field.name for field in fields(CheckResult) if field.name != "failing_rows"]


def failure_message(results: Iterable[CheckResult]) -> str:
    """One line per failed critical check; empty where there is none."""
    return "\n".join(
        f"{result.layer}.{result.table_name}: {result.expectation}: {result.observed}"
        + (f"; failing rows in {result.failing_rows}" if result.failing_rows else "")
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
