"""What other people's tools make of a published version, in DuckDB and in PostgreSQL.

Each client runs in an environment of its own and answers through `serve.py`. A small synthetic shop
is published, everything is asked, a second version is published under the open connections, and
everything is asked again. The result is the table of docs/connect.md. Run by `make clients`.
"""

import argparse
import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from glob import glob
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any

import psycopg.conninfo

from dagster_project.lib.settings import PROJECT_ROOT
from tests.postgres import ask, execute, running_server
from tests.shops import refresh, regulars

HERE = Path(__file__).parent
ENVIRONMENTS = PROJECT_ROOT / ".venv-clients"
PAGE = PROJECT_ROOT / "docs/connect.md"
PLACE = re.compile(r"(?<=<!-- written by make clients -->\n).*?(?=<!-- end -->)", re.DOTALL)
USER = "bi_tool"

QUESTIONS = (
    "select * from marts.dim_customers",
    "select * from marts.fct_orders",
    """
    select
        customers.segment, count(*) as orders, sum(orders.net_sales) as net_sales,
        max(orders.order_date) as last_order_date
    from marts.fct_orders as orders
    join marts.dim_customers as customers on customers.customer_id = orders.customer_id
    where orders.is_valid
    group by customers.segment
    """,
)
WRITES = (
    "delete from marts.fct_orders",
    "insert into marts.dim_products select * from marts.dim_products",
    "create table marts.mine (x integer)",
    "drop table marts.fct_orders",
)
REFUSALS = ("permission denied", "must be owner", "in read-only mode")
TYPES = {
    "bool": "BOOLEAN",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float8": "DOUBLE",
    "float": "DOUBLE",
    "double precision": "DOUBLE",
    "double_precision": "DOUBLE",
    "text": "VARCHAR",
    "numeric": "DECIMAL",
}


@dataclass(frozen=True)
class Client:
    """`name` is that of a script, `driver` a file outside its environment, of Debian's `packages`;
    `sees` says when a new version is seen."""

    name: str
    title: str
    warehouse: str
    environment: str = "drivers"
    driver: str = ""
    packages: str = ""
    has_comments: bool = True
    sees: str = "at once"


CLIENTS = (
    Client("duckdb", "Python package duckdb", "DuckDB", sees="after reconnecting"),
    Client("superset", "Superset", "DuckDB", environment="superset"),
    Client("superset", "Superset", "PostgreSQL", environment="superset"),
    Client("psycopg", "psycopg", "PostgreSQL"),
    Client(
        "odbc",
        "psqlODBC, by pyodbc",
        "PostgreSQL",
        driver="/usr/lib/*/odbc/psqlodbcw.so",
        packages="unixodbc odbc-postgresql",
        has_comments=False,
    ),
    Client(
        "jdbc",
        "pgJDBC, by JPype",
        "PostgreSQL",
        driver="/usr/share/java/postgresql.jar",
        packages="libpostgresql-jdbc-java default-jre-headless",
    ),
)


class Failure(Exception):
    """A client does not do what the page says of it."""


class Session:
    """A client that runs, with its connection."""

    def __init__(self, process: subprocess.Popen[str], log: IO[str]) -> None:
        self.process, self.log = process, log

    def ask(self, *question: str) -> Any:
        """Raises Failure with what the client says where it cannot."""
        assert self.process.stdin and self.process.stdout
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            answer = json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            self.process.wait()
            self.log.seek(0)
            raise Failure(f"it has ended:\n{self.log.read()[-2000:]}") from None
        if "error" in answer:
            raise Failure(answer["error"])
        return answer["answer"]


@contextmanager
def session(client: Client, address: dict[str, str], folder: Path) -> Iterator[Session]:
    """`folder` takes what the client leaves behind."""
    python = ENVIRONMENTS / client.environment / "bin/python"
    script = HERE / f"ask_{client.name}.py"
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [python, script, json.dumps(address)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "TMPDIR": str(folder)},
        ) as process,
    ):
        yield Session(process, log)  # on leaving, its standard input ends, and so does it


def missing(client: Client) -> str:
    """What is to be done for it to be there; nothing where it is."""
    if not (ENVIRONMENTS / client.environment / "bin/python").exists():
        return f"make .venv-clients/.{client.environment}"
    is_there = not client.driver or (
        glob(client.driver) and (client.name != "jdbc" or shutil.which("java"))
    )
    return "" if is_there else f"apt-get install {client.packages}"


# What `regulars query` says


def expected(warehouse: Path, sql: str) -> list[list[Any]]:
    result = regulars("query", "--warehouse", warehouse, "--format", "json", sql)
    if result.returncode:
        raise Failure(result.stderr)
    return [list(row.values()) for row in json.loads(result.stdout, parse_float=Decimal)]


@dataclass(frozen=True)
class Version:
    """A published version: what its tables are, and the answers to QUESTIONS."""

    tables: dict[str, str]
    columns: dict[str, list[list[str]]]
    answers: list[list[list[Any]]]


def version_of(warehouse: Path) -> Version:
    tables = expected(
        warehouse, "select table_name, comment from duckdb_tables() where schema_name = 'marts'"
    )
    columns: dict[str, list[list[str]]] = {}
    for table, *column in expected(
        warehouse,
        "select table_name, column_name, data_type, comment from duckdb_columns()"
        " where schema_name = 'marts' order by table_name, column_index",
    ):
        columns.setdefault(table, []).append(column)
    answers = [expected(warehouse, question) for question in QUESTIONS]
    return Version(dict(tables), columns, answers)


# What is compared


def check_tables(session: Session, version: Version) -> str:
    equal("tables", sorted(name for name, _ in session.ask("tables")), sorted(version.tables))
    return f"{len(version.tables)} of {len(version.tables)}"


def check_types(session: Session, version: Version) -> str:
    for table, columns in version.columns.items():
        found = [[name, plain_type(kind)] for name, kind, _ in session.ask("columns", table)]
        equal(f"types of {table}", found, [[name, kind] for name, kind, _ in columns])
    return f"{sum(map(len, version.columns.values()))} columns"


def check_comments(client: Client, session: Session, version: Version) -> str:
    if not client.has_comments:
        return "none"
    equal("comments", sorted(session.ask("tables")), sorted(map(list, version.tables.items())))
    for table, columns in version.columns.items():
        found = [comment for *_, comment in session.ask("columns", table)]
        equal(f"comments of {table}", found, [comment for *_, comment in columns])
    return "all"


def check_answers(session: Session, version: Version) -> str:
    values = 0
    for question, answer in zip(QUESTIONS, version.answers, strict=True):
        found = sorted(session.ask("query", question), key=lambda row: str(row[0]))
        wanted = sorted(answer, key=lambda row: str(row[0]))
        equal("rows", [len(found)], [len(wanted)])
        for row, wanted_row in zip(found, wanted, strict=True):
            values += len(row)
            if not all(map(same, row, wanted_row)):
                raise Failure(f"{question.strip()}: {row}, not {wanted_row}")
    return f"{values:,} values"


def check_writes(session: Session) -> str:
    for statement in WRITES:
        try:
            session.ask("query", statement)
        except Failure as refusal:
            if any(words in str(refusal) for words in REFUSALS):
                continue
            raise Failure(f"{statement}: refused for another reason, {refusal}") from None
        raise Failure(f"{statement}: was done")
    return f"{len(WRITES)} of {len(WRITES)}"


def check_new_version(client: Client, session: Session, old: Version, new: Version) -> str:
    if client.sees == "after reconnecting":
        check_answers(session, old)
        session.ask("reconnect")
    check_answers(session, new)
    return client.sees


def equal(what: str, found: Sequence[Any], wanted: Sequence[Any]) -> None:
    for one, other in zip_longest(found, wanted, fillvalue="nothing"):
        if one != other:
            raise Failure(f"{what}: {one}, not {other}")


def plain_type(kind: str) -> str:
    """A type in DuckDB's words."""
    name, _, size = kind.replace(" ", "").partition("(") if "(" in kind else (kind, "", "")
    return TYPES.get(name.lower(), name.upper()) + (f"({size}" if size else "")


def same(found: Any, wanted: Any) -> bool:
    """Numbers by value, times by moment, all else to the letter."""
    if isinstance(wanted, bool) or wanted is None or found is None:
        return found is wanted
    if isinstance(found, float):
        return found == float(wanted)
    if isinstance(wanted, int | Decimal):
        return Decimal(found) == wanted
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+", wanted):
        return datetime.fromisoformat(found) == datetime.fromisoformat(wanted)
    return bool(found == wanted)


# All together


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="make clients")
    parser.add_argument(
        "--allow-missing", action="store_true", help="leave out what is not on this machine"
    )
    allow_missing = parser.parse_args().allow_missing
    clients = []
    for client in CLIENTS:
        if remedy := missing(client):
            print(f"{client.title}, {client.warehouse}: not there: {remedy}")
        else:
            clients.append(client)
    if len(clients) < len(CLIENTS) and not allow_missing:
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="regulars-clients-")))
        url = stack.enter_context(running_server(folder / "server", is_local=False))
        rows, failures = look(folder, url, clients)
        server = ask(url, "show server_version")[0][0].split()[0]
    table = markdown(rows, server)
    print(table)
    for failure in failures:
        print(failure, file=sys.stderr)
    if not failures and not allow_missing:
        PAGE.write_text(
            PLACE.sub(lambda _: table, PAGE.read_text(encoding="utf-8")), encoding="utf-8"
        )
    return 1 if failures else 0


def look(folder: Path, url: str, clients: Sequence[Client]) -> tuple[list[list[str]], list[str]]:
    """A row for each client that does what it should, a sentence for each that does not."""
    landing, warehouse = folder / "landing", folder / "warehouse"
    say("making a shop")
    made = regulars("demo", "--landing", landing, "--customers", 500)
    if made.returncode:
        raise SystemExit(made.stderr)
    addresses = {
        "DuckDB": {"file": f"{warehouse}/published/current/warehouse.duckdb"},
        "PostgreSQL": {**in_postgres(url), "user": USER, "password": secrets.token_hex(16)},
    }
    say("publishing a first version, of the middle of 2025")
    refresh(landing, warehouse, "--as-of", "2025-06-30", REGULARS_POSTGRES_URL=url)
    password = addresses["PostgreSQL"]["password"]
    execute(url, f"create role {USER} login password '{password}' in role regulars_reader")
    first = version_of(warehouse)
    rows, failures = {}, []
    with ExitStack() as stack:
        sessions = {}
        for client in clients:
            say(f"asking {client.title} over {client.warehouse}")
            address = {**addresses[client.warehouse], "driver": "".join(glob(client.driver))}
            sessions[client] = stack.enter_context(session(client, address, folder))
            try:
                rows[client] = [
                    f"{client.title} {sessions[client].ask('version')}",
                    client.warehouse,
                    check_tables(sessions[client], first),
                    check_types(sessions[client], first),
                    check_comments(client, sessions[client], first),
                    check_answers(sessions[client], first),
                    check_writes(sessions[client]),
                ]
            except Failure as failure:
                failures.append(f"{client.title}, {client.warehouse}: {failure}")
        say("publishing a second version")
        refresh(landing, warehouse, REGULARS_POSTGRES_URL=url)
        second = version_of(warehouse)
        if first.answers == second.answers:
            raise SystemExit("both versions say the same, so that nobody can tell them apart")
        for client, row in rows.items():
            say(f"asking {client.title} over {client.warehouse} again")
            try:
                row.append(check_new_version(client, sessions[client], first, second))
            except Failure as failure:
                failures.append(f"{client.title}, {client.warehouse}, new version: {failure}")
    return [row for row in rows.values() if len(row) == 8], failures


def in_postgres(url: str) -> dict[str, str]:
    parts = psycopg.conninfo.conninfo_to_dict(url)
    names = {"host": "host", "port": "port", "database": "dbname"}
    return {key: str(parts[name]) for key, name in names.items()}


def markdown(rows: Sequence[Sequence[str]], server: str) -> str:
    titles = "client | warehouse | tables listed | types read | comments read | answers equal"
    lines = [f"| {titles} | writes denied | sees a new version |", "|---" * 8 + "|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return "\n".join(
        [
            *lines,
            "",
            f"{date.today()}, PostgreSQL {server}, Python {platform.python_version()},"
            f" {platform.system()}, {os.cpu_count()} cores, {memory:.0f} GB.",
            "",
        ]
    )


def say(message: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {message}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
