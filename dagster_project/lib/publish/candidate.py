"""The DuckDB file of a generation: written from the build, then proven equal to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import duckdb

from dagster_project.lib.errors import CheckFailed
from dagster_project.lib.settings import Settings

# The newest format that clients from 1.4 on can open.
STORAGE_VERSION = "v1.4.0"


@dataclass(frozen=True)
class TableDescription:
    """What a mart says about itself; it becomes the comments that BI tools show."""

    description: str
    columns: Mapping[str, str] = field(default_factory=dict)
    grain: str = ""
    key: tuple[str, ...] = ()  # the columns of the grain; none where there is one row

    @property
    def comment(self) -> str:
        if not self.grain or self.grain in self.description:
            return self.description
        return f"Grain: {self.grain.rstrip('.')}. {self.description}".strip()


@dataclass(frozen=True)
class Column:
    name: str
    data_type: str
    is_nullable: bool
    comment: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Table:
    """Shape and content of a table; two are equal when every row is, in whatever order."""

    columns: tuple[Column, ...]
    rows: int
    content_hash: str


def write_candidate(
    settings: Settings,
    file: Path,
    *,
    generation: str,
    run_id: str,
    as_of: date,
    published_at: datetime,
    rules_hash: str,
    descriptions: Mapping[str, TableDescription],
    progress: Callable[[str], None],
) -> dict[str, Table]:
    """Copy schema `marts` of the build into a new `file`; return what the build holds, by table.

    The tables are those with a description, or all of them where there are none. Views become
    tables with what they show now. Raises CheckFailed where a mart is missing, duckdb.Error where
    reading or writing fails.
    """
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"set file_search_path = {_text(settings.raw_dir)}")
        connection.execute(f"set temp_directory = {_text(settings.build_dir / 'spill')}")
        # Views name their database as dbt did: after the file.
        build = settings.build_file.stem
        connection.execute(f"attach {_text(settings.build_file)} as {_name(build)} (read_only)")
        connection.execute(
            f"attach {_text(file)} as candidate (storage_version '{STORAGE_VERSION}')"
        )
        connection.execute(f"use {_name(build)}; create schema candidate.marts")
        shapes = columns_of(connection, build)
        if not shapes:
            raise CheckFailed(f"{settings.build_file}: schema marts is empty, nothing to publish")
        if missing := sorted(descriptions.keys() - shapes.keys()):
            raise CheckFailed(f"{settings.build_file}: marts lacks {', '.join(missing)}")
        if descriptions:  # what else lies there is left over from models that are gone
            shapes = {name: shapes[name] for name in sorted(descriptions)}
        tables = {}
        for position, (name, columns) in enumerate(shapes.items(), start=1):
            progress(f"publishing marts.{name} ({position} of {len(shapes)})")
            source = f"{_name(build)}.marts.{_name(name)}"
            if _is_view(connection, build, name):
                # Evaluated once: a sum of doubles may differ in its last digit the second time.
                connection.execute(f"create or replace temp table evaluated as from {source}")
                source = "temp.evaluated"
            target = f"candidate.marts.{_name(name)}"
            connection.execute("begin")
            connection.execute(f"create table {target} ({', '.join(map(_definition, columns))})")
            connection.execute(f"insert into {target} from {source}")
            _comment(connection, target, columns, descriptions.get(name))
            connection.execute("commit")
            tables[name] = _measure(connection, source, columns)
        connection.execute("drop table if exists temp.evaluated")
        connection.execute("create schema candidate.meta")
        connection.execute(
            "create table candidate.meta.publication (generation varchar not null,"
            " run_id varchar not null, rules_hash varchar not null, as_of_date date not null,"
            " published_at timestamp not null)"
        )
        connection.execute(
            "comment on table candidate.meta.publication is"
            " 'Grain: one row. Which run this warehouse comes from; rules_hash stands for settings,"
            " seeds and models; published_at is in UTC.'"
        )
        connection.execute(
            "insert into candidate.meta.publication values (?, ?, ?, ?, ?)",
            [generation, run_id, rules_hash, as_of, published_at.replace(tzinfo=None)],
        )
        connection.execute(
            "create table candidate.meta.keys (table_name varchar not null,"
            " position integer not null, column_name varchar not null)"
        )
        connection.execute(
            "comment on table candidate.meta.keys is 'Grain: one row per mart and column by which"
            " its rows are told apart; position counts from 1.'"
        )
        for name in tables:
            key = descriptions[name].key if name in descriptions else ()
            for position, column in enumerate(key, start=1):
                connection.execute(
                    "insert into candidate.meta.keys values (?, ?, ?)", [name, position, column]
                )
        connection.execute("checkpoint candidate; detach candidate")
    return tables


def verify_candidate(file: Path, generation: str, expected: Mapping[str, Table]) -> None:
    """Open the finished `file` anew; raise CheckFailed unless it holds what is `expected`."""
    if file.with_name(file.name + ".wal").exists():
        raise CheckFailed("the candidate was not closed cleanly, a .wal is left")
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            found = {
                name: _measure(connection, f"marts.{_name(name)}", columns)
                for name, columns in columns_of(connection, file.stem).items()
            }
            label = connection.execute("select generation from meta.publication").fetchall()
    except duckdb.Error as error:
        raise CheckFailed(f"the candidate cannot be read: {one_line(error)}") from None
    if label != [(generation,)]:
        raise CheckFailed(f"the candidate says it is {label}, not {generation}")
    if found.keys() != expected.keys():
        names = ", ".join(sorted(found.keys() ^ expected.keys()))
        raise CheckFailed(f"the candidate and the build differ in the tables {names}")
    for name, table in expected.items():
        if found[name] != table:
            rows = f"{found[name].rows} rows against {table.rows}"
            raise CheckFailed(f"marts.{name} differs between the candidate and the build ({rows})")


def one_line(error: duckdb.Error) -> str:
    """DuckDB's message with its candidates, without the query it quotes."""
    message = str(error).split("\n\nLINE ")[0]
    return " ".join(line.strip() for line in message.splitlines() if line.strip())


def columns_of(
    connection: duckdb.DuckDBPyConnection, database: str, schema: str = "marts"
) -> dict[str, tuple[Column, ...]]:
    """Columns of every table and view of a schema, tables by name."""
    rows = connection.execute(
        """
        select table_name, column_name, data_type, is_nullable, comment
        from duckdb_columns()
        where database_name = ? and schema_name = ? and not internal
        order by table_name, column_index
        """,
        [database, schema],
    ).fetchall()
    tables: dict[str, tuple[Column, ...]] = {}
    for table, *column in rows:
        tables[table] = (*tables.get(table, ()), Column(*column))
    return tables


def _is_view(connection: duckdb.DuckDBPyConnection, database: str, name: str) -> bool:
    found = connection.execute(
        "select 1 from duckdb_views()"
        " where database_name = ? and schema_name = 'marts' and view_name = ?",
        [database, name],
    )
    return found.fetchone() is not None


def _measure(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: tuple[Column, ...]
) -> Table:
    """A sum of row hashes depends on no order, and unlike xor it counts a row that comes twice."""
    names = ", ".join(_name(column.name) for column in columns)
    query = f"select count(*), coalesce(sum(hash({names})), 0)::varchar from {relation}"
    rows, content_hash = connection.execute(query).fetchall()[0]
    return Table(columns, rows, content_hash)


def _comment(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[Column, ...],
    description: TableDescription | None,
) -> None:
    if description is not None and description.comment:
        connection.execute(f"comment on table {table} is {_text(description.comment)}")
    described = description.columns if description is not None else {}
    for column in columns:
        comment = described.get(column.name) or column.comment
        if comment:
            connection.execute(
                f"comment on column {table}.{_name(column.name)} is {_text(comment)}"
            )


def _definition(column: Column) -> str:
    return f"{_name(column.name)} {column.data_type}{'' if column.is_nullable else ' not null'}"


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
