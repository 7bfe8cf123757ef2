"""Questions to the published warehouse."""

import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dagster_project.lib.errors import InputError, RegularsError
from dagster_project.lib.publish.generations import publish
from dagster_project.lib.publish.query import Format, connect_published, run_query, write_result
from dagster_project.lib.settings import Settings, load_settings

RESULT = """
select 1 as id, 12345678901234567890.10::decimal(38, 2) as amount,
    timestamp '2024-02-29 10:00:00' as at, date '2024-02-29' as day, 'a "b", c' as text,
    true as flag, [1, null] as list, 1e-7::double as rate
union all select 2, null, null, null, '', null, null, 'nan'::double order by id
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(warehouse=tmp_path_factory.mktemp("shop") / "warehouse")
    settings.build_dir.mkdir(parents=True)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.fct_orders as select i as order_id from range(100) t(i)"
        )
        connection.execute("create table marts.dim_customers as select 'x' as name, null as email")
    publish(settings, run_id="r", as_of=date(2024, 2, 29))
    return settings


def write(settings: Settings, format: Format, sql: str = RESULT, rows: int = 40) -> str:
    out = io.StringIO()
    write_result(run_query(settings, sql), format, out, max_rows=rows)
    return out.getvalue()


def test_marts_are_found_with_and_without_schema(settings: Settings) -> None:
    for name in ("fct_orders", "marts.fct_orders"):
        assert run_query(settings, f"select count(*) from {name}").fetchall() == [(100,)]
    assert run_query(settings, "select run_id from meta.publication").fetchall() == [("r",)]


def test_several_connections_of_one_process(settings: Settings) -> None:
    with connect_published(settings) as first, connect_published(settings) as second:
        for connection in (first, second):
            assert connection.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
            assert connection.execute("select count(*) from fct_orders").fetchall() == [(100,)]


@pytest.mark.parametrize(
    "sql",
    [
        "from fct_orders limit 1",
        "with o as (from fct_orders) select * from o",
        "describe fct_orders",
        "summarize fct_orders",
        "show tables",
        "pivot (from fct_orders limit 3) on order_id using count(*)",
        "select 1;",
    ],
)
def test_questions_are_answered(settings: Settings, sql: str) -> None:
    for format in ("table", "csv", "json"):
        assert write(settings, format, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "copy fct_orders to '{here}/out.csv'",
        "copy fct_orders to '{file}.wal'",
        "explain analyze copy fct_orders to '{file}.wal' (format csv)",
        "select 1; copy fct_orders to '{file}.wal' (format csv)",
        "export database '{here}/out'",
        "attach '{here}/out.duckdb'",
        "attach '{file}' as again (read_write)",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from glob('/*')",
        "copy fct_orders from '/etc/passwd'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "select 1; set enable_external_access = true",
        "pragma enable_profiling",
        "create table marts.mine as select 1",
        "insert into fct_orders values (1)",
        "delete from fct_orders",
        "drop table fct_orders",
        "select * from settings",
        "create secret (type s3)",
        "",
        "-- nothing",
    ],
)
def test_nothing_but_questions(settings: Settings, tmp_path: Path, sql: str) -> None:
    with pytest.raises(InputError) as error:
        write(settings, "csv", sql.format(here=tmp_path, file=settings.published_file.resolve()))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    assert len(list(settings.published_file.resolve().parent.iterdir())) == 2


@pytest.mark.parametrize(
    "sql",
    ["copy fct_orders to '{}/out.csv'", "from read_csv('/etc/passwd')", "set threads = 1"],
)
def test_the_connection_itself_is_locked(settings: Settings, tmp_path: Path, sql: str) -> None:
    with connect_published(settings) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql.format(tmp_path)).fetchall()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select order_idd from fct_orders", 'Candidate bindings: "order_id"'),
        ("select * from fct_order", 'Did you mean "fct_orders"'),
        ("selec 1", 'syntax error at or near "selec"'),
        ("select cast(name as int) from dim_customers", "Could not convert string 'x'"),
    ],
)
def test_wrong_sql_is_one_line(settings: Settings, sql: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        write(settings, "csv", sql)
    assert message in str(error.value)
    assert "\n" not in str(error.value) and "LINE 1" not in str(error.value)


def test_nothing_published_yet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `regulars run` first"):
        connect_published(load_settings(warehouse=tmp_path))


def test_damaged_file_is_one_line(tmp_path: Path) -> None:
    settings = load_settings(warehouse=tmp_path)
    settings.published_file.parent.mkdir(parents=True)
    settings.published_file.write_text("no database")
    with pytest.raises(RegularsError, match=r"cannot be read.*regulars rollback"):
        connect_published(settings)


def test_csv(settings: Settings) -> None:
    assert write(settings, "csv").splitlines() == [
        "id,amount,at,day,text,flag,list,rate",
        "1,12345678901234567890.10,2024-02-29 10:00:00,2024-02-29,"
        '"a ""b"", c",true,"[1, NULL]",1e-07',
        '2,,,,"",,,nan',
    ]


def test_json(settings: Settings) -> None:
    first, second = json.loads(write(settings, "json"), parse_float=Decimal)
    assert first == {
        "id": 1,
        "amount": Decimal("12345678901234567890.10"),
        "at": "2024-02-29T10:00:00",
        "day": "2024-02-29",
        "text": 'a "b", c',
        "flag": True,
        "list": [1, None],
        "rate": Decimal("1e-07"),
    }
    assert (second["text"], second["amount"], second["rate"]) == ("", None, None)
    assert json.loads(write(settings, "json", "from fct_orders where false")) == []
    with pytest.raises(InputError, match="two columns are called id"):
        write(settings, "json", "select 1 as id, 2 as id")


def test_parquet(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    write_result(run_query(settings, RESULT), "parquet", out)
    assert list(tmp_path.iterdir()) == [out]
    expected = run_query(settings, RESULT)
    written = duckdb.read_parquet(str(out))
    assert written.types == expected.types
    assert repr(written.fetchall()) == repr(expected.fetchall())
    with pytest.raises(InputError, match="to a file only"):
        write(settings, "parquet")


def test_a_file_is_complete_or_not_there(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    write_result(run_query(settings, "from fct_orders"), "csv", out)
    before = out.read_text()
    failing = "select cast(case when order_id < 90 then '1' else 'x' end as int) from fct_orders"
    for format in ("csv", "json", "parquet"):
        with pytest.raises(InputError, match="Could not convert"):
            write_result(run_query(settings, failing), format, out)
    assert out.read_text() == before
    assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(InputError, match=r"cannot write .*No such file"):
        write_result(run_query(settings, "select 1"), "csv", tmp_path / "none" / "x.csv")


def test_table_for_people(settings: Settings) -> None:
    lines = write(settings, "table", "select 'a' as name, 5 as n union all values (null, 1000)")
    assert [line.rstrip() for line in lines.splitlines()] == [
        "name      n",
        "───────────",
        "a         5",
        "∅      1000",
        "2 rows",
    ]
    lines = write(settings, "table", "from fct_orders", rows=3)
    assert lines.splitlines()[-1] == "3 of 100 rows; 97 more with --format csv"
    assert "1 row\n" in write(settings, "table", "select 1")


def test_table_shows_data_as_data(settings: Settings) -> None:
    shown = write(settings, "table", r"select '[red]x[/red]' || chr(27) || '[2J' || chr(10) as a")
    assert "[red]x[/red] [2J" in shown
    assert "\x1b" not in shown


def test_wide_rows_stand_upright_on_a_terminal(settings: Settings) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    columns = ", ".join(f"{number} as a_rather_long_name_{number}" for number in range(20))
    write_result(run_query(settings, f"select {columns}"), "table", out)
    assert "a_rather_long_name_19  19" in out.getvalue()
