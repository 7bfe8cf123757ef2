"""What the published version says, kept in raw for the run that is about to replace it.

The models compare themselves with it, and `fct_restatements` lists what readers have seen
otherwise.
"""

import hashlib
import json
import os

import duckdb

from dagster_project.lib.errors import RegularsError, StorageError
from dagster_project.lib.intake.ledger import (
    PREVIOUS_COLUMNS,
    SETTINGS_COLUMNS,
    private_folder,
    put,
)
from dagster_project.lib.intake.sql import literal
from dagster_project.lib.settings import DBT_DIR, PROJECT_ROOT, Settings


def keep_previous(settings: Settings) -> dict[str, int]:
    """Writes the tables of raw/previous anew; returns the rows of each, by name.

    Where nothing is published they are empty. A version that lacks one of the columns is older than
    this code: it hands on what it has, and `publication` is empty, so that nothing is compared.
    Raises RegularsError where the version cannot be read.
    """
    file = settings.published_file.resolve()
    with duckdb.connect() as connection:
        try:
            if file.is_file():
                connection.execute(f"attach {literal(file)} as published (read_only)")
            queries = _queries(connection, rules_hash(settings))
            return {
                name: _write(connection, settings, name, queries.get(name))
                for name in PREVIOUS_COLUMNS
            }
        except duckdb.Error as error:
            kind = StorageError if isinstance(error, duckdb.IOException) else RegularsError
            raise kind(
                f"what was published in {file} cannot be kept for comparison"
                f" ({str(error).splitlines()[0]}); `regulars rollback` goes back to another"
                f" version; where there is none, remove {settings.published_dir / 'current'}"
            ) from error


def rules_hash(settings: Settings) -> str:
    """Stands for what decides figures beside the data: settings, seeds and models."""
    chosen = settings.model_dump(mode="json", include=set(SETTINGS_COLUMNS))
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode())
    for folder in (DBT_DIR / "models", DBT_DIR / "macros", PROJECT_ROOT / "seeds"):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _queries(connection: duckdb.DuckDBPyConnection, present_hash: str) -> dict[str, str]:
    """What gives the tables; without those whose columns are not all there."""
    found = connection.execute(
        "select schema_name || '.' || table_name, list(column_name)"
        " from duckdb_columns() where database_name = 'published' group by all"
    )
    there = {table: set(columns) for table, columns in found.fetchall()}
    queries = {
        name: f"select {', '.join(columns)} from published.marts.{name}"
        for name, columns in PREVIOUS_COLUMNS.items()
        if columns.keys() <= there.get(f"marts.{name}", set())
    }
    if len(queries) == len(PREVIOUS_COLUMNS) - 1 and "rules_hash" in there["meta.publication"]:
        queries["publication"] = (
            f"select rules_hash = {literal(present_hash)} as has_same_rules, as_of_date"
            " from published.meta.publication"
        )
    return queries


def _write(
    connection: duckdb.DuckDBPyConnection, settings: Settings, name: str, query: str | None
) -> int:
    columns = PREVIOUS_COLUMNS[name]
    typed = ", ".join(f"cast({column} as {kind}) as {column}" for column, kind in columns.items())
    nothing = f"select {', '.join(f'null as {column}' for column in columns)} limit 0"
    path = settings.raw_dir / "previous" / name / "published.parquet"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    private_folder(path.parent)
    ((rows,),) = connection.execute(
        f"copy (select {typed} from ({query or nothing})) to {literal(temporary)} (format parquet)"
    ).fetchall()
    put(temporary, path)
    return int(rows)
