"""The published version in PostgreSQL: its schemas `marts` and `meta`, in one transaction.

Everything is loaded beside what is there and renamed into its place: a reader finds the old version
or the new one, and a failure anywhere leaves the old one. So that this also holds for statements
and transactions that are under way,

- rows are copied frozen: a snapshot older than the load sees all of them, not none;
- the old tables are locked while they are renamed: who has read one of them ends in that version;
- the lock is asked for briefly, again and again: nobody queues behind it, and a transaction that is
  left open delays a publication by `PATIENCE`, not more.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import duckdb

from dagster_project.lib.errors import BusyError, InputError, RegularsError, Unreachable
from dagster_project.lib.intake.sql import literal
from dagster_project.lib.intake.sql import name as quoted
from dagster_project.lib.publish.candidate import Column, columns_of, one_line
from dagster_project.lib.settings import Settings

try:
    import psycopg
    from psycopg.sql import SQL, Composable, Composed, Identifier, Literal
except ImportError:
    raise InputError(
        "PostgreSQL needs a package more: pip install -c constraints.txt -e '.[postgres]'"
    ) from None

Server = psycopg.Connection[Any]

SCHEMAS = ("marts", "meta")
MARK = "Published by Regulars; replaced as a whole by the next publication."
STAYS = "the version that stood there stays"
OLDEST_SERVER = 15  # the first whose unique indexes can take nulls for equal
PATIENCE = 10.0  # seconds
LOCK_TIMEOUT = "200ms"  # below deadlock_timeout: no reader is ever cancelled for this lock
CHUNK = 1 << 20
MANY_ROWS = 100_000  # that take a while to load
TYPES = {
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double precision",
    "FLOAT": "real",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "VARCHAR": 'text collate "C"',  # sorts as in DuckDB
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
}


@dataclass(frozen=True)
class PostgresPublication:
    """What `publish_to_postgres` did; `rows` by mart.

    `was_held` says that a reader's open transaction outlasted PATIENCE, `dependents` what still
    reads a version before this one, in PostgreSQL's words.
    """

    generation: str
    rows: Mapping[str, int]
    was_held: bool
    dependents: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its owner should know."""
        held = (
            f"PostgreSQL: somebody's transaction has stayed open for more than {PATIENCE:.0f}"
            " seconds; it may have seen two versions"
        )
        return (
            *([held] if self.was_held else []),
            *(
                f"PostgreSQL: {dependent}, of a version before; make it anew"
                for dependent in self.dependents
            ),
        )


def publish_to_postgres(
    settings: Settings, progress: Callable[[str], None] | None = None
) -> PostgresPublication:
    """Put what is published now into the database of `settings.postgres_url`.

    Raises InputError where URL, server or schemas are not right or nothing is published, BusyError
    where another publication is under way there, Unreachable where the server is away,
    RegularsError where it refuses; the version that stood there stays.
    """
    report = progress or (lambda message: None)
    file = settings.published_file.resolve()
    if not file.is_file():
        raise InputError(
            f"{settings.warehouse}: nothing is published yet; run `regulars run` first"
        )
    report("publishing in PostgreSQL")
    with (
        _connection(settings) as server,
        _plain_errors(),
        duckdb.connect() as warehouse,
    ):
        warehouse.execute(f"set TimeZone = 'UTC'; attach {literal(file)} as published (read_only)")
        warehouse.execute("use published")
        generation = warehouse.execute("select generation from meta.publication").fetchall()[0][0]
        with server.transaction():
            _refuse_others(server)
            _ensure_role(server, settings.postgres_reader)
            rows = {
                schema: _load(server, warehouse, schema, settings.postgres_reader, report)
                for schema in SCHEMAS
            }
            was_held = not _lock_old_tables(server)
            _switch(server)
        return PostgresPublication(generation, rows["marts"], was_held, _drop_old(server))


@contextmanager
def _connection(settings: Settings) -> Iterator[Server]:
    if settings.postgres_url is None:
        raise InputError("no database is named; set REGULARS_POSTGRES_URL")
    try:
        connection = psycopg.connect(
            settings.postgres_url.get_secret_value(),
            autocommit=True,
            application_name="regulars",
            connect_timeout=10,
        )
    except psycopg.ProgrammingError:  # the message repeats the URL, and with it the password
        raise InputError("REGULARS_POSTGRES_URL cannot be read as a URL of PostgreSQL") from None
    except psycopg.Error as error:
        raise Unreachable(f"PostgreSQL cannot be reached: {_message(error)}; {STAYS}") from None
    with connection:
        yield connection


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        # What has a class beginning with 08, 53 or 57, or none, is of the server, not of the load.
        passing = (error.sqlstate or "08")[:2] in ("08", "53", "57")
        kind = Unreachable if passing else RegularsError
        raise kind(f"PostgreSQL: {_message(error)}; {STAYS}") from None
    except duckdb.Error as error:
        raise RegularsError(f"the published version cannot be read: {one_line(error)}") from None


def _refuse_others(server: Server) -> None:
    """Raise where the server, or who else is in it, does not permit a publication."""
    if server.info.server_version < OLDEST_SERVER * 10_000:
        version = server.info.parameter_status("server_version")
        raise InputError(f"PostgreSQL {OLDEST_SERVER} or newer is needed, the server is {version}")
    if (encoding := server.info.parameter_status("server_encoding")) != "UTF8":
        raise InputError(f"the database must have the encoding UTF8, not {encoding}")
    if not _ask(server, "select pg_try_advisory_xact_lock(hashtext('regulars'))")[0][0]:
        raise BusyError("another publication into this database is under way")
    owned = "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = {}"
    for schema in SCHEMAS:
        if _ask(server, owned, Literal(schema)) not in ([], [(MARK,)]):
            raise InputError(
                f"schema {schema} of this database is not of Regulars and is not replaced; publish"
                " into a database of its own"
            )


def _ensure_role(server: Server, role: str) -> None:
    if _ask(server, "select from pg_roles where rolname = {}", Literal(role)):
        return
    try:
        _do(server, "create role {} nologin", Identifier(role))
    except psycopg.errors.InsufficientPrivilege:
        identifier = Identifier(role).as_string()
        raise InputError(
            f"role {role} is missing and this user may not make it; have somebody execute:"
            f" create role {identifier} nologin"
        ) from None


def _load(
    server: Server,
    warehouse: duckdb.DuckDBPyConnection,
    schema: str,
    role: str,
    report: Callable[[str], None],
) -> dict[str, int]:
    """Make `<schema>__new` of what the warehouse has in `schema`; rows by table."""
    new = _new(schema)
    _do(server, "create schema {}", Identifier(new))
    _do(server, "comment on schema {} is {}", Identifier(new), Literal(MARK))
    comments = dict(
        warehouse.execute(
            "select table_name, comment from duckdb_tables()"
            " where database_name = 'published' and schema_name = ?",
            [schema],
        ).fetchall()
    )
    keys = dict(
        warehouse.execute(
            "select table_name, list(column_name order by position) from meta.keys group by all"
        ).fetchall()
    )
    rows = {}
    tables = columns_of(warehouse, "published", schema)
    for name, columns in tables.items():
        target = Identifier(new, name)
        defined = SQL(", ").join(_definition(name, column) for column in columns)
        _do(server, "create table {} ({})", target, defined)
        rows[name] = _copy(server, target, warehouse, (schema, name), report)
        if schema == "marts" and name in keys:
            _add_key(server, target, name, columns, keys[name])
        _do(server, "comment on table {} is {}", target, Literal(comments[name]))
        for column in columns:
            own = Identifier(new, name, column.name)
            _do(server, "comment on column {} is {}", own, Literal(column.comment))
        _do(server, "analyze {}", target)
    _do(server, "grant usage on schema {} to {}", Identifier(new), Identifier(role))
    _do(server, "grant select on all tables in schema {} to {}", Identifier(new), Identifier(role))
    return rows


def _definition(table: str, column: Column) -> Composable:
    data_type = TYPES.get(column.data_type)
    if column.data_type.startswith("DECIMAL("):
        data_type = column.data_type.replace("DECIMAL", "numeric")
    if data_type is None:
        raise RegularsError(f"{table}.{column.name}: PostgreSQL is given no {column.data_type}")
    null = "" if column.is_nullable else " not null"
    return SQL("{} {}").format(Identifier(column.name), SQL(data_type + null))


def _copy(
    server: Server,
    target: Identifier,
    warehouse: duckdb.DuckDBPyConnection,
    table: tuple[str, str],
    report: Callable[[str], None],
) -> int:
    """Rows copied; as text, in which decimals, doubles and times are exact."""
    source = ".".join(map(quoted, table))
    expected = warehouse.execute(f"select count(*) from {source}").fetchall()[0][0]
    if expected >= MANY_ROWS:
        report(f"loading {'.'.join(table)} into PostgreSQL ({expected:,} rows)")
    with tempfile.TemporaryDirectory(prefix="regulars-") as folder:
        file = Path(folder, "rows.csv")
        warehouse.execute(f"copy {source} to '{file}' (format csv, header false, nullstr '\\N')")
        statement = SQL("copy {} from stdin (format csv, null '\\N', freeze)").format(target)
        with server.cursor() as cursor:
            with file.open("rb") as rows, cursor.copy(statement) as copy:
                while chunk := rows.read(CHUNK):
                    copy.write(chunk)
            copied = cursor.rowcount
    if copied != expected:
        raise RegularsError(f"{'.'.join(table)}: PostgreSQL took {copied} of {expected} rows")
    return copied


def _add_key(
    server: Server, target: Identifier, table: str, columns: Sequence[Column], key: Sequence[str]
) -> None:
    """A primary key; a unique index where a column of the key may be empty, which no primary key
    permits."""
    names = SQL(", ").join(map(Identifier, key))
    empty = _ask(
        server,
        "select from {} where {} limit 1",
        target,
        SQL(" or ").join(SQL("{} is null").format(Identifier(name)) for name in key),
    )
    if not empty:
        _do(server, "alter table {} add primary key ({})", target, names)
        return
    _do(server, "create unique index on {} ({}) nulls not distinct", target, names)


def _lock_old_tables(server: Server) -> bool:
    """Lock what is about to be renamed; False where a reader's transaction outlasted PATIENCE."""
    tables = _ask(
        server,
        "select nspname, relname from pg_class join pg_namespace on relnamespace = pg_namespace.oid"
        " where nspname in ({}) and relkind = 'r'",
        SQL(", ").join(map(Literal, SCHEMAS)),
    )
    if not tables:
        return True
    end = time.monotonic() + PATIENCE
    while True:
        random.shuffle(tables)  # a reader who waits for one and holds the next does so by chance
        names = SQL(", ").join(Identifier(*table) for table in tables)
        try:
            with server.transaction():
                _do(server, "set local lock_timeout = {}", Literal(LOCK_TIMEOUT))
                _do(server, "lock table {} in access exclusive mode", names)
                _do(server, "set local lock_timeout = 0")
                return True
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)


def _switch(server: Server) -> None:
    (transaction,) = _ask(server, "select pg_current_xact_id()::text")[0]  # never the same again
    for schema in SCHEMAS:
        if _ask(server, "select from pg_namespace where nspname = {}", Literal(schema)):
            before = Identifier(f"{schema}__before_{transaction}")
            _do(server, "alter schema {} rename to {}", Identifier(schema), before)
        _do(server, "alter schema {} rename to {}", Identifier(_new(schema)), Identifier(schema))


def _drop_old(server: Server) -> tuple[str, ...]:
    """Drop versions before this one, but for tables on which something depends: what does is named.

    A table that is still being read is left to the next publication.
    """
    old = _ask(
        server,
        "select nspname from pg_namespace where obj_description(oid, 'pg_namespace') = {}"
        " and nspname not in ({}) order by nspname",
        Literal(MARK),
        SQL(", ").join(map(Literal, SCHEMAS)),
    )
    dependents: list[str] = []
    for (schema,) in old:
        tables = _ask(
            server, "select tablename from pg_tables where schemaname = {}", Literal(schema)
        )
        drops = [SQL("drop table {}").format(Identifier(schema, name)) for (name,) in tables]
        kept = [drop for drop in drops if not _dropped(server, drop, dependents)]
        if not kept:
            _dropped(server, SQL("drop schema {}").format(Identifier(schema)), dependents)
    return tuple(dependents)


def _dropped(server: Server, drop: Composed, dependents: list[str]) -> bool:
    try:
        with server.transaction():
            _do(server, "set local lock_timeout = {}", Literal(LOCK_TIMEOUT))
            server.execute(drop)
            return True
    except psycopg.errors.LockNotAvailable:
        return False
    except psycopg.errors.DependentObjectsStillExist as error:
        dependents += (error.diag.message_detail or "").splitlines()
        return False


def _new(schema: str) -> str:
    return f"{schema}__new"


def _do(server: Server, statement: LiteralString, *parts: Composable) -> None:
    server.execute(SQL(statement).format(*parts))


def _ask(server: Server, question: LiteralString, *parts: Composable) -> list[tuple[Any, ...]]:
    return server.execute(SQL(question).format(*parts)).fetchall()


def _message(error: psycopg.Error) -> str:
    """One line of what the server, or the library, has to say."""
    said = error.diag.message_primary or str(error)
    return " ".join(said.split())
