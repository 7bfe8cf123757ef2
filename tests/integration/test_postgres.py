"""Publication into a real PostgreSQL: equal to DuckDB's, and one version at every moment."""

import itertools
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.defs.jobs import BACKFILL
from dagster_project.defs.publish import assets
from dagster_project.defs.publish.assets import published_postgres
from dagster_project.defs.resources import RESOURCES
from dagster_project.lib.errors import BusyError, InputError, RegularsError, Unreachable
from dagster_project.lib.publish import postgres as publishing
from dagster_project.lib.publish.candidate import TableDescription
from dagster_project.lib.publish.generations import publish
from dagster_project.lib.publish.postgres import publish_to_postgres
from dagster_project.lib.publish.query import connect_published
from dagster_project.lib.settings import Settings, load_settings
from tests.postgres import ask, execute, new_database

DESCRIPTIONS = {
    "fct_orders": TableDescription(
        "Grain: one row per order; it's 100 % \\N.",
        {"order_id": "The order's id.", 'odd "name; --': "Anything's text."},
        key=("order_id",),
    ),
    "fct_rates": TableDescription("Grain: one row per month.", {}, key=("month",)),
    "fct_shop": TableDescription("Grain: one row."),
}
ORDERS = """
create table marts.fct_orders (
    order_id varchar not null, version integer, "odd ""name; --" varchar, net_sales decimal(18, 3),
    rate double, customers bigint, order_date date, ordered_at timestamp, is_valid boolean)
"""
TEXTS = [
    "",
    r"\N",
    "NULL",
    'it\'s "quoted", or; not',
    "two\nlines\r\n",
    "tab\t",
    "東京 🍵",
    r"\.",
    " ",
    ",",
]
NUMBERS = itertools.count(1)
VERSIONS = """
select distinct version from (
    select version from marts.fct_orders union all select version from marts.fct_rates
    union all select version from marts.fct_shop) as tables
"""


def build(settings: Settings, version: int, rows: int = 20) -> None:
    """A build whose every row carries `version`, with values that are easily bent."""
    settings.build_dir.mkdir(parents=True, exist_ok=True)
    settings.build_file.unlink(missing_ok=True)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("create schema marts")
        connection.execute(ORDERS)
        chance = random.Random(version)
        doubles = [0.1, -0.0, 1e308, 5e-324, float("nan"), float("inf"), -float("inf"), 1 / 3]
        for row in range(rows):
            values = [
                TEXTS[row] if row < len(TEXTS) else None,
                f"{chance.randrange(-(10**15), 10**15)}.{chance.randrange(1000):03}",
                chance.choice([*doubles, None]),
                chance.choice([2**63 - 1, -(2**63), None]),
                chance.choice([date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31), None]),
                chance.choice(["1999-12-31 23:59:59.999999", "2024-02-29 00:00:00", None]),
                chance.choice([True, False, None]),
            ]
            connection.execute(
                f"insert into marts.fct_orders values ('o{row}', {version}, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        connection.execute(
            f"create table marts.fct_rates as select {version} as version, month::date as month"
            f" from (values ('2024-01-01'), (null)) as months(month)"
        )
        connection.execute(f"create table marts.fct_shop as select {version} as version")


def go(settings: Settings, version: int) -> None:
    """Publish a version in DuckDB, and nowhere else."""
    build(settings, version)
    publish(settings, run_id=f"run {version}", as_of=date(2024, 2, 29), descriptions=DESCRIPTIONS)


@pytest.fixture
def settings(postgres: str, tmp_path: Path) -> Settings:
    """A shop with a version in DuckDB, and an empty database."""
    url = new_database(postgres, f"shop_{next(NUMBERS)}")
    settings = load_settings(warehouse=tmp_path / "warehouse", postgres_url=url)
    go(settings, 1)
    return settings


def url_of(settings: Settings) -> str:
    assert settings.postgres_url
    return settings.postgres_url.get_secret_value()


def seen(settings: Settings) -> list[tuple[Any, ...]]:
    return ask(url_of(settings), VERSIONS)


def schemas(settings: Settings) -> set[str]:
    """Those that are not of the server."""
    question = "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema)'"
    return {name for (name,) in ask(url_of(settings), question)}


# What is published


def test_every_row_is_that_of_duckdb_to_the_last_bit(settings: Settings) -> None:
    publication = publish_to_postgres(settings)
    assert publication.rows == {"fct_orders": 20, "fct_rates": 2, "fct_shop": 1}
    with connect_published(settings) as warehouse:
        for table in ("marts.fct_orders", "marts.fct_rates", "marts.fct_shop", "meta.publication"):
            expected = warehouse.execute(f"from {table}").fetchall()
            found = ask(url_of(settings), f"select * from {table}")
            assert sorted(map(repr, found)) == sorted(map(repr, expected)), table
        assert {
            text
            for (text,) in warehouse.execute('select "odd ""name; --" from fct_orders').fetchall()
        } > {r"\N", ""}


def test_types_keys_and_comments_arrive(settings: Settings) -> None:
    publish_to_postgres(settings)
    url = url_of(settings)
    types = ask(
        url,
        "select attname, format_type(atttypid, atttypmod), attnotnull,"
        " col_description(attrelid, attnum) from pg_attribute"
        " where attrelid = 'marts.fct_orders'::regclass and attnum > 0 order by attnum",
    )
    assert types == [
        ("order_id", "text", True, "The order's id."),
        ("version", "integer", False, None),
        ('odd "name; --', "text", False, "Anything's text."),
        ("net_sales", "numeric(18,3)", False, None),
        ("rate", "double precision", False, None),
        ("customers", "bigint", False, None),
        ("order_date", "date", False, None),
        ("ordered_at", "timestamp without time zone", False, None),
        ("is_valid", "boolean", False, None),
    ]
    comments = "select obj_description('marts.fct_orders'::regclass, 'pg_class')"
    assert ask(url, comments) == [(DESCRIPTIONS["fct_orders"].description,)]
    keys = ask(
        url,
        "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = 'marts'::regnamespace and contype = 'p'",
    )
    assert keys == [("marts.fct_orders", "PRIMARY KEY (order_id)")]
    # One of its months is empty, which no primary key permits; but only one.
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(url, "insert into marts.fct_rates values (1, null)")


def test_an_unknown_type_is_refused_by_name(settings: Settings) -> None:
    publish_to_postgres(settings)
    build(settings, 2)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("create table marts.fct_tags as select ['a'] as tags, 2 as version")
    publish(settings, run_id="tags", as_of=date(2024, 2, 29))
    with pytest.raises(RegularsError, match=r"fct_tags\.tags: PostgreSQL is given no VARCHAR\[\]"):
        publish_to_postgres(settings)
    assert seen(settings) == [(1,)]


# Who may read


def test_the_role_reads_and_does_nothing_else(settings: Settings) -> None:
    url = url_of(settings)
    publish_to_postgres(settings)
    go(settings, 2)
    publish_to_postgres(settings)
    name = f"bi_{os.getpid()}"
    execute(url, f"create role {name} login in role regulars_reader")
    reader = url.replace("postgres:@", f"{name}:@")
    assert ask(reader, VERSIONS) == [(2,)]
    assert ask(reader, "select run_id from meta.publication") == [("run 2",)]
    for denied in (
        "delete from marts.fct_orders",
        "insert into marts.fct_shop values (3)",
        "update meta.publication set run_id = 'mine'",
        "create table marts.mine (x integer)",
        "create table public.mine (x integer)",
        "truncate marts.fct_rates",
        "drop schema marts cascade",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            execute(reader, denied)


def test_a_user_who_may_not_make_the_role_is_told_what_to_ask_for(settings: Settings) -> None:
    url = url_of(settings)
    name = f"publisher_{os.getpid()}"
    execute(url, f"create role {name} login", f"grant create on database {database(url)} to {name}")
    own = url.replace("postgres:@", f"{name}:@")
    given = {"postgres_url": SecretStr(own), "postgres_reader": 'read "only"'}
    settings = settings.model_copy(update=given)
    with pytest.raises(InputError, match=r'create role "read ""only""" nologin$'):
        publish_to_postgres(settings)
    execute(url, 'create role "read ""only""" nologin')
    assert publish_to_postgres(settings).rows["fct_orders"] == 20


def database(url: str) -> str:
    return '"' + ask(url, "select current_database()")[0][0] + '"'


# Readers


class Readers:
    """Threads that read again and again; `results` has what each look has seen, or the error."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.url = settings, url_of(settings)
        self.results: dict[str, list[object]] = {}
        self.stopped = threading.Event()
        ways = (self.joins, self.prepared, self.transactions, self.snapshots, self.files)
        self.threads = [threading.Thread(target=self.poll, args=(way,)) for way in ways]

    def __enter__(self) -> "Readers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def poll(self, way: Callable[[psycopg.Connection[Any]], object]) -> None:
        own = self.results.setdefault(way.__name__, [])
        with psycopg.connect(self.url, autocommit=True) as connection:
            is_last = False
            while not is_last:
                is_last = self.stopped.is_set()
                try:
                    own.append(way(connection))
                except Exception as error:
                    own.append(repr(error))

    def joins(self, connection: psycopg.Connection[Any]) -> object:
        return connection.execute(VERSIONS).fetchall()

    def prepared(self, connection: psycopg.Connection[Any]) -> object:
        return connection.execute(VERSIONS, prepare=True).fetchall()

    def transactions(self, connection: psycopg.Connection[Any]) -> object:
        """Two statements; the second goes on in the version of the first."""
        with connection.transaction():
            orders = connection.execute("select distinct version from marts.fct_orders").fetchall()
            time.sleep(random.uniform(0, 0.05))
            shop = connection.execute("select distinct version from marts.fct_shop").fetchall()
        return sorted({*orders, *shop})

    def snapshots(self, connection: psycopg.Connection[Any]) -> object:
        """A snapshot that may be older than the tables that are read under it."""
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read")
            connection.execute("select count(*) from pg_class")
            time.sleep(random.uniform(0, 0.05))
            orders = connection.execute("select distinct version from marts.fct_orders").fetchall()
            time.sleep(random.uniform(0, 0.05))
            rates = connection.execute("select distinct version from marts.fct_rates").fetchall()
        return sorted({*orders, *rates})

    def files(self, _: psycopg.Connection[Any]) -> object:
        with connect_published(self.settings) as warehouse:
            return warehouse.execute(VERSIONS).fetchall()


@pytest.mark.parametrize("publications", [10, pytest.param(100, marks=pytest.mark.long)])
def test_readers_see_one_complete_version_each_time(
    settings: Settings, publications: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "PATIENCE", 60)  # readers who never pause, on a slow machine
    publish_to_postgres(settings)
    with Readers(settings) as readers:
        for version in range(2, publications + 2):
            go(settings, version)
            assert publish_to_postgres(settings).was_held is False
    for way, results in readers.results.items():
        assert all(isinstance(result, list) and len(result) == 1 for result in results), (
            way,
            [result for result in results if not isinstance(result, list) or len(result) != 1][:5],
        )
        versions = [result[0][0] for result in results if isinstance(result, list)]
        assert versions == sorted(versions), way
        assert versions[-1] == publications + 1
        assert len(set(versions)) > min(publications // 2, 5), way
    assert schemas(settings) == {"public", "marts", "meta"}


def test_an_open_transaction_delays_a_publication_and_does_not_stop_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "PATIENCE", 0.6)
    publish_to_postgres(settings)
    go(settings, 2)
    with psycopg.connect(url_of(settings)) as reader:
        assert reader.execute("select distinct version from marts.fct_orders").fetchall() == [(1,)]
        publication = publish_to_postgres(settings)
        assert publication.was_held
        assert "open for more than 1 seconds" in publication.warnings[0]
        assert seen(settings) == [(2,)]
        assert any("__before_" in name for name in schemas(settings))
    go(settings, 3)
    assert publish_to_postgres(settings).warnings == ()
    assert schemas(settings) == {"public", "marts", "meta"}


def test_what_depends_on_a_table_is_named_until_it_is_made_anew(settings: Settings) -> None:
    publish_to_postgres(settings)
    url = url_of(settings)
    best = "create or replace view reporting.best as select version from marts.fct_orders"
    execute(url, "create schema reporting", best)
    for version in (2, 3):
        go(settings, version)
        (warning,) = publish_to_postgres(settings).warnings
        assert "view reporting.best depends on table marts__before_" in warning
        assert ask(url, "select distinct version from reporting.best") == [(1,)]
        assert seen(settings) == [(version,)]
    execute(url, best)
    go(settings, 4)
    (warning,) = publish_to_postgres(settings).warnings  # of what is of version 3 since
    assert ask(url, "select distinct version from reporting.best") == [(3,)]
    execute(url, "drop view reporting.best")
    assert publish_to_postgres(settings).warnings == ()
    assert schemas(settings) == {"public", "marts", "meta", "reporting"}


# Failures


def test_a_connection_that_is_cut_anywhere_leaves_the_old_version(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_to_postgres(settings)
    go(settings, 2)
    url, do = url_of(settings), publishing._do
    steps = 0

    def count(*given: Any) -> None:
        nonlocal steps
        steps += 1
        do(*given)

    monkeypatch.setattr(publishing, "_do", count)
    publish_to_postgres(settings)
    last = steps
    go(settings, 3)
    cut_after_the_switch = False
    for cut_at in range(1, last + 1, 3):
        steps = 0

        def cut(server: psycopg.Connection[Any], *given: Any, at: int = cut_at) -> None:
            nonlocal steps
            steps += 1
            do(server, *given)
            if steps == at:
                execute(url, f"select pg_terminate_backend({server.info.backend_pid})")

        monkeypatch.setattr(publishing, "_do", cut)
        with pytest.raises(Unreachable, match="PostgreSQL: "):
            publish_to_postgres(settings)
        cut_after_the_switch = seen(settings) == [(3,)]
        assert cut_after_the_switch or seen(settings) == [(2,)]
        if cut_after_the_switch:  # while old versions were dropped
            break
        assert schemas(settings) == {"public", "marts", "meta"}
    assert cut_after_the_switch
    monkeypatch.setattr(publishing, "_do", do)
    publish_to_postgres(settings)
    assert seen(settings) == [(3,)]
    assert schemas(settings) == {"public", "marts", "meta"}


def _publish(settings: Settings) -> None:
    while True:
        publish_to_postgres(settings)


def test_a_killed_publication_leaves_one_complete_version(settings: Settings) -> None:
    publish_to_postgres(settings)
    chance = random.Random(7)
    context = multiprocessing.get_context("fork")
    for version in range(2, 6):
        go(settings, version)
        process = context.Process(target=_publish, args=(settings,))
        process.start()
        time.sleep(chance.uniform(0.02, 0.3))
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert seen(settings) in ([(version - 1,)], [(version,)])
        for _ in range(50):  # until the server has seen that nobody is there any more
            with suppress(BusyError):
                publish_to_postgres(settings)
                break
            time.sleep(0.1)
        assert seen(settings) == [(version,)]
        assert schemas(settings) == {"public", "marts", "meta"}


def test_a_key_that_comes_twice_is_refused(settings: Settings) -> None:
    publish_to_postgres(settings)
    build(settings, 2)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("insert into marts.fct_orders (order_id, version) values ('o1', 2)")
    publish(settings, run_id="twice", as_of=date(2024, 2, 29), descriptions=DESCRIPTIONS)
    with pytest.raises(RegularsError, match=r"could not create unique index.*stays") as error:
        publish_to_postgres(settings)
    assert not isinstance(error.value, Unreachable)
    assert seen(settings) == [(1,)]
    assert schemas(settings) == {"public", "marts", "meta"}


@pytest.mark.parametrize("schema", ["marts", "meta"])
def test_a_schema_of_somebody_else_is_not_replaced(settings: Settings, schema: str) -> None:
    execute(url_of(settings), f"create schema {schema}", f"create table {schema}.theirs (x text)")
    with pytest.raises(InputError, match=f"schema {schema} of this database is not of Regulars"):
        publish_to_postgres(settings)
    assert schemas(settings) == {"public", schema}


def test_one_publication_at_a_time(settings: Settings) -> None:
    with psycopg.connect(url_of(settings)) as other:
        other.execute("select pg_advisory_xact_lock(hashtext('regulars'))")
        with pytest.raises(BusyError, match="another publication into this database"):
            publish_to_postgres(settings)


@pytest.mark.parametrize(
    ("url", "message", "kind"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/shop", "cannot be reached: ", Unreachable),
        ("postgresql://me:s3cret@[host/shop", "cannot be read as a URL", InputError),
        ("postgresql://me:s3cret@host/shop?sslmode=s3cret", "cannot be", RegularsError),
    ],
)
def test_a_server_that_is_not_there(
    settings: Settings, url: str, message: str, kind: type[RegularsError]
) -> None:
    settings = settings.model_copy(update={"postgres_url": SecretStr(url)})
    with pytest.raises(kind, match=message) as error:
        publish_to_postgres(settings)
    assert ":s3cret" not in str(error.value)
    assert "s3cret" not in repr(settings)


def test_what_is_no_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(
        InputError, match=r"setting postgres_url: .*postgresql://user:pass"
    ) as error:
        load_settings(postgres_url="mysql://me:s3cret@host/shop")
    assert "s3cret" not in str(error.value)
    assert load_settings(postgres_url="").postgres_url is None


def test_nothing_published_is_nothing_to_publish(postgres: str, tmp_path: Path) -> None:
    settings = load_settings(warehouse=tmp_path, postgres_url=postgres)
    with pytest.raises(InputError, match="nothing is published yet"):
        publish_to_postgres(settings)


# From outside


def test_commands_publish_and_go_back(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGULARS_POSTGRES_URL", url_of(settings))
    monkeypatch.setenv("REGULARS_WAREHOUSE", str(settings.warehouse))
    go(settings, 2)
    said = CliRunner().invoke(app, ["postgres"])
    assert said.exit_code == 0, said.output
    assert "3 marts, 23 rows" in said.output
    assert seen(settings) == [(2,)]
    assert CliRunner().invoke(app, ["rollback"]).exit_code == 0
    assert seen(settings) == [(1,)]
    monkeypatch.delenv("REGULARS_POSTGRES_URL")
    said = CliRunner().invoke(app, ["postgres"])
    assert (said.exit_code, "set REGULARS_POSTGRES_URL" in said.output) == (2, True)


def materialized(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dg.ExecuteInProcessResult:
    monkeypatch.setenv("REGULARS_POSTGRES_URL", url_of(settings))
    monkeypatch.setenv("REGULARS_WAREHOUSE", str(settings.warehouse))
    resources = {"warehouse": RESOURCES["warehouse"]}
    return dg.materialize([published_postgres], resources=resources, raise_on_error=False)


def test_the_asset_says_what_it_has_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = materialized(settings, monkeypatch)
    assert result.success
    (event,) = result.asset_materializations_for_node("published__postgres")
    assert event.metadata["dagster/row_count"].value == 23
    assert seen(settings) == [(1,)]


def test_a_backfill_leaves_postgres_and_the_report_as_they_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGULARS_POSTGRES_URL", url_of(settings))
    monkeypatch.setenv("REGULARS_WAREHOUSE", str(settings.warehouse))
    publish_to_postgres(settings)
    build(settings, 2)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("create table marts.fct_check_results as select true as passed")
    monkeypatch.setattr(assets, "as_of_date", lambda settings: date(2024, 1, 31))
    monkeypatch.setattr(assets, "mart_descriptions", lambda: DESCRIPTIONS)
    result = dg.materialize(
        [assets.published_warehouse, assets.published_report, published_postgres],
        resources={"warehouse": RESOURCES["warehouse"]},
        run_config={"ops": BACKFILL},
    )
    skipped = {event.step_key for event in result.all_events if event.is_step_skipped}
    assert skipped == {"published__report", "published__postgres"}
    assert result.get_asset_materialization_events() == []
    assert seen(settings) == [(1,)]
    assert not settings.report_file.exists()
    with connect_published(settings, date(2024, 1, 31)) as connection:
        assert connection.execute(VERSIONS).fetchall() == [(2,)]


@pytest.mark.parametrize(("is_away", "retries"), [(True, 2), (False, 0)])
def test_only_a_server_that_is_away_is_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, is_away: bool, retries: int
) -> None:
    if is_away:
        away = SecretStr("postgresql://me@127.0.0.1:1/shop")
        settings = settings.model_copy(update={"postgres_url": away})
    else:
        execute(url_of(settings), "create schema marts")
    monkeypatch.setattr(
        published_postgres.op, "_retry_policy", dg.RetryPolicy(max_retries=2, delay=0)
    )
    result = materialized(settings, monkeypatch)
    assert not result.success
    asked: Sequence[dg.DagsterEvent] = result.all_events
    assert sum(event.event_type_value == "STEP_RESTARTED" for event in asked) == retries
