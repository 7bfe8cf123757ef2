"""Questions to the published warehouse: reading only, nothing but the warehouse."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal, TextIO

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dagster_project.lib.errors import InputError, RegularsError
from dagster_project.lib.publish.candidate import one_line
from dagster_project.lib.settings import WAREHOUSE_FILE, Settings

Format = Literal["table", "csv", "json", "parquet"]

NESTED = frozenset(("list", "array", "struct", "map", "union"))
BATCH = 10_000


def connect_published(
    settings: Settings, as_of: date | None = None, file_of_version: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the current generation, to that built for a past date, or to the
    one in this file, `marts` first on its search path.

    It stays on that generation whatever is published meanwhile. Raises InputError where nothing was
    published yet, RegularsError where the file cannot be read.
    """
    for _ in range(3):
        # Not by the link: within a process, DuckDB takes an open file of that name for this one.
        link = file_of_version or settings.published_link(as_of) / WAREHOUSE_FILE
        file = link.resolve()
        if not file.is_file():
            continue
        try:
            connection = duckdb.connect(
                str(file),
                read_only=True,
                config={
                    "temp_directory": _spill_folder().name,
                    "python_enable_replacements": False,
                },
            )
            connection.execute("use marts")
            locked = connection.execute("select current_setting('lock_configuration')").fetchall()
            if locked == [(False,)]:  # a second connection of a process finds it locked
                connection.execute(
                    "set global TimeZone = 'UTC'; set enable_external_access = false;"
                    " set lock_configuration = true"
                )
            return connection
        except duckdb.Error as error:
            if file.exists():  # else removed between the look and the opening: look again
                raise RegularsError(
                    f"{file} cannot be read: {one_line(error)}; `regulars rollback` goes back"
                ) from None
    if as_of:
        missing = f"there is no version of {as_of}; `regulars backfill {as_of} {as_of}` makes it"
        raise InputError(f"{settings.warehouse}: {missing}")
    raise InputError(f"{settings.warehouse}: nothing is published yet; run `regulars run` first")


def run_query(settings: Settings, sql: str, as_of: date | None = None) -> duckdb.DuckDBPyRelation:
    """The answer of the published warehouse to one question, not yet computed.

    Raises InputError with DuckDB's message where the SQL is wrong or does more than ask.
    """
    connection = connect_published(settings, as_of)
    with _sql_errors():
        # DuckDB lets a statement write beside the file it has open, so only questions pass; CREATE
        # is a step of PIVOT and reaches temporary objects only.
        asking = {duckdb.StatementType.SELECT, duckdb.StatementType.CREATE}
        types = [statement.type for statement in connection.extract_statements(sql)]
        relation = connection.sql(sql) if set(types) <= asking else None
        if relation is None:
            raise InputError("this is no question: use select, from, describe, summarize or show")
        return relation


def write_result(
    relation: duckdb.DuckDBPyRelation,
    format: Format,
    out: Path | TextIO,
    *,
    max_rows: int = 40,
) -> None:
    """Write the rows to a file or a stream; a file appears complete or not at all.

    table: for people, at most `max_rows`. csv: a null is an empty field, an empty text is "".
    json: an array of objects, dates in ISO 8601, decimals as numbers with all their digits, NaN as
    null. parquet: typed as in the warehouse, to a file only.
    """
    with _sql_errors():
        if format == "parquet":
            if not isinstance(out, Path):
                raise InputError("parquet is written to a file only; name one")
            with _complete_file(out) as path:
                _write_parquet(relation, path)
            return
        writers: dict[str, Callable[[TextIO], None]] = {
            "table": lambda stream: _write_table(relation, stream, max_rows),
            "csv": lambda stream: _write_csv(relation, stream),
            "json": lambda stream: _write_json(relation, stream),
        }
        if format not in writers:
            raise InputError(f"format {format!r} is unknown; choose table, csv, json or parquet")
        if not isinstance(out, Path):
            writers[format](out)
            return
        with _complete_file(out) as path, path.open("w", encoding="utf-8", newline="") as stream:
            writers[format](stream)


def _write_csv(relation: duckdb.DuckDBPyRelation, out: TextIO) -> None:
    def field(text: str | None) -> str:
        if text is None:
            return ""
        if text == "" or any(character in text for character in ',"\r\n'):
            return '"' + text.replace('"', '""') + '"'
        return text

    out.write(",".join(map(field, relation.columns)) + "\n")
    for row in _texts(relation):
        out.write(",".join(map(field, row)) + "\n")


def _write_json(relation: duckdb.DuckDBPyRelation, out: TextIO) -> None:
    _refuse_equal_names(relation)

    def value(text: str | None, kind: str) -> str:
        if text is None or (text in ("nan", "inf", "-inf") and _is_number(kind)):
            return "null"
        if _is_number(kind) or kind in NESTED or kind == "boolean":
            return text
        return json.dumps(text.replace(" ", "T") if kind.startswith("timestamp") else text)

    names = [json.dumps(name) for name in relation.columns]
    kinds = [kind.id for kind in relation.types]
    separator = "[\n  "
    for row in _texts(relation, nested_as_json=True):
        pairs = zip(names, map(value, row, kinds), strict=True)
        out.write(separator + "{" + ", ".join(f"{name}: {text}" for name, text in pairs) + "}")
        separator = ",\n  "
    out.write("[]\n" if separator.startswith("[") else "\n]\n")


def _write_parquet(relation: duckdb.DuckDBPyRelation, path: Path) -> None:
    _refuse_equal_names(relation)
    # The connection of the relation may not write files: another one does.
    with duckdb.connect() as writer:
        writer.from_arrow(relation.to_arrow_reader(BATCH)).write_parquet(str(path))


def _write_table(relation: duckdb.DuckDBPyRelation, out: TextIO, max_rows: int) -> None:
    rows = list(_texts(relation.limit(max_rows + 1)))
    total = len(rows)
    if total > max_rows:
        total = relation.aggregate("count(*)").fetchall()[0][0]
    null = "∅" if (getattr(out, "encoding", None) or "utf-8").lower().startswith("utf") else ""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, kind in zip(relation.columns, relation.types, strict=True):
        table.add_column(
            _printable(name),
            justify="right" if _is_number(kind.id) else "left",
            no_wrap=True,
            max_width=60,
        )
    for row in rows[:max_rows]:
        table.add_row(*(null if text is None else _printable(text) for text in row))
    console = Console(file=out, width=100_000, highlight=False)
    if out.isatty() and console.measure(table).maximum > shutil.get_terminal_size().columns:
        for number, row in enumerate(rows[:max_rows], start=1):
            record = Table.grid(padding=(0, 2))
            for name, text in zip(relation.columns, row, strict=True):
                record.add_row(_printable(name), Text(null) if text is None else _printable(text))
            console.print(f"row {number}", style="bold")
            console.print(record)
    else:
        console.print(table)
    if total > max_rows:
        out.write(f"{max_rows} of {total} rows; {total - max_rows} more with --format csv\n")
    else:
        out.write(f"{total} row{'' if total == 1 else 's'}\n")


def _texts(
    relation: duckdb.DuckDBPyRelation, nested_as_json: bool = False
) -> Iterator[tuple[str | None, ...]]:
    """Rows as DuckDB writes them: exact decimals, ISO dates; by position, as names may be equal."""
    expressions = (
        f"to_json(#{position})::varchar as c{position}"
        if nested_as_json and kind.id in NESTED
        else f"#{position}::varchar as c{position}"
        for position, kind in enumerate(relation.types, start=1)
    )
    texts = relation.project(", ".join(expressions))
    while batch := texts.fetchmany(BATCH):
        yield from batch


def _is_number(kind: str) -> bool:
    return kind in ("decimal", "float", "double") or kind.endswith(("int", "integer"))


def _printable(text: str) -> Text:
    """Data must not steer the terminal, nor be taken for markup."""
    return Text("".join(letter if letter.isprintable() else " " for letter in text))


def _refuse_equal_names(relation: duckdb.DuckDBPyRelation) -> None:
    names = relation.columns
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two columns are called {', '.join(twice)}; rename one with `as`")


@contextmanager
def _sql_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise InputError(one_line(error)) from None


@contextmanager
def _complete_file(path: Path) -> Iterator[Path]:
    """A path to write to that becomes `path` at the end."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


@cache
def _spill_folder() -> tempfile.TemporaryDirectory[str]:
    """Where big questions put what does not fit into memory; removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="regulars-")
