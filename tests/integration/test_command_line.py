"""What the commands print and end with. Exit codes: 1 failed, 2 wrong input, 3 busy."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.lib.errors import CheckFailed, InputError
from dagster_project.lib.expectations.results import failure_message
from dagster_project.lib.expectations.run import run_checks
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.intake import run_intake
from dagster_project.lib.lock import warehouse_lock
from dagster_project.lib.publish.generations import current_id, generations
from dagster_project.lib.settings import Settings, load_settings
from tests.faults.dirty_folder import HELD, write_dirty_folder
from tests.receivers import webhook
from tests.shops import contents, dbt, environment, rebuild, regulars, rows, settings_of, write_csv

ORDERS = [
    {
        "order_id": number,
        "customer_id": "c1",
        "ordered_at": f"2025-0{number}-01 10:00:00",
        "merchandise_amount": 10 * number,
    }
    for number in (1, 2, 3)
]


def ask(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    """A command in this process: for what neither runs Dagster nor leaves anything behind."""
    given = environment(**env)
    unset = {name: None for name in os.environ if name not in given}
    result = CliRunner().invoke(app, list(map(str, arguments)), env={**unset, **given})
    return subprocess.CompletedProcess("", result.exit_code, result.stdout, result.stderr)


def error_of(*arguments: object, code: int, here: bool = True, **env: str) -> str:
    """The one line, with neither traceback nor advice to read one, that a command fails with."""
    result = (ask if here else regulars)(*arguments, **env)
    assert result.returncode == code, result.stdout + result.stderr
    *progress, line = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert not [text for text in progress if "error" in text.lower() or "Traceback" in text]
    assert result.stdout == ""
    return line.removeprefix("error: ")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three orders of one customer in two published versions: two orders, then three."""
    folder = tmp_path_factory.mktemp("shop")
    write_csv(folder / "landing" / "orders.csv", ORDERS[:2])
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    rebuild(settings)
    write_csv(folder / "landing" / "orders.csv", ORDERS)
    return rebuild(settings)


@pytest.fixture
def own(shop: Settings, tmp_path: Path) -> Settings:
    """That shop, to be changed."""
    shutil.copytree(shop.landing, tmp_path / "landing")
    shutil.copytree(shop.warehouse, tmp_path / "warehouse", symlinks=True)
    return settings_of(tmp_path / "landing", tmp_path / "warehouse", connectors="files")


def read_csv(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def failing_rows(message: str) -> tuple[str, str]:
    """What failed, and the file that the message names."""
    found = re.match(r"(.*?); failing rows in (\S+)", message)
    assert found, message
    return found[1], found[2]


def run_error(settings: Settings, code: int, **env: str) -> str:
    landing, warehouse = settings.landing, settings.warehouse
    given = ("--connector", "files", "--landing", landing, "--warehouse", warehouse)
    return error_of("run", *given, code=code, here=False, **env)


# Wrong input, said before anything is done


def test_a_landing_folder_that_is_missing(tmp_path: Path) -> None:
    for command in ("run", "doctor"):
        message = error_of(command, "--landing", tmp_path / "nowhere", code=2)
        assert message == (
            f"the landing folder {tmp_path / 'nowhere'} does not exist; create it and put files in"
        )


def test_a_landing_folder_that_is_empty(tmp_path: Path) -> None:
    (tmp_path / ".hidden").touch()
    (tmp_path / "_truth").mkdir()
    message = error_of("run", "--landing", tmp_path, "--warehouse", tmp_path / "_w", code=2)
    assert message == f"there are no files in the landing folder {tmp_path}; put some in"
    assert not (tmp_path / "_w").exists()


def test_a_connector_that_nobody_knows(tmp_path: Path) -> None:
    message = error_of("run", "--landing", tmp_path, "--connector", "shopifi", code=2)
    known = f"known connectors: {', '.join(sorted(load_connectors()))}"
    assert message == f"there is no connector 'shopifi'; {known}"
    (tmp_path / "[b]shop").mkdir()
    message = error_of("run", "--landing", tmp_path, code=2)
    assert message == f"the folder {tmp_path / '[b]shop'} is named after no connector; {known}"


def test_files_without_a_folder_that_says_whose_they_are(tmp_path: Path) -> None:
    write_csv(tmp_path / "orders.csv", ORDERS)
    message = error_of("doctor", "--landing", tmp_path, code=2)
    assert "say which one they are from (--connector)" in message


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TIME_ZONE", "Berlin", "setting time_zone: Value error, 'Berlin' is not a time zone"),
        ("LANGUAGE", "xx", "setting language: Value error, 'xx' has no greeting in seeds"),
        ("REPORTING_CURRENCY", "euro", "setting reporting_currency"),
        ("KEEP_GENERATIONS", "0", "setting keep_generations"),
        ("MERGE_SAME_DAY_ORDERS", "perhaps", "setting merge_same_day_orders"),
    ],
)
def test_a_setting_of_unknown_value(tmp_path: Path, name: str, value: str, says: str) -> None:
    assert says in error_of("run", "--landing", tmp_path, code=2, **{f"REGULARS_{name}": value})


def test_a_date_that_is_none(own: Settings) -> None:
    given = ("--connector", "files", "--landing", own.landing, "--warehouse", own.warehouse)
    for text in ("today", "2025-02-30", "31.12.2025"):
        message = error_of("run", *given, "--as-of", text, code=2)
        assert message == f"as_of {text!r} is not a date; write it like 2025-12-31"


def test_an_option_that_does_not_exist() -> None:
    result = ask("run", "--lnding", "here")
    assert result.returncode == 2
    assert "No such option: --lnding" in result.stderr
    assert "Traceback" not in result.stderr


def test_several_currencies_and_none_to_report_in(own: Settings) -> None:
    lines = [{**ORDERS[0], "order_id": 8, "currency": "EUR"}, {**ORDERS[1], "currency": "GBP"}]
    write_csv(own.landing / "orders.csv", lines)
    with pytest.raises(InputError, match=r"several currencies \(EUR, GBP, ...\): say which") as it:
        rebuild(own)
    assert it.value.exit_code == 2
    assert "REGULARS_REPORTING_CURRENCY" in str(it.value)


# A run that fails leaves what was published


def test_an_order_in_a_currency_without_a_rate_fails_a_critical_check(tmp_path: Path) -> None:
    lines = [{**ORDERS[0], "order_id": f"x{n}", "currency": "NOK"} for n in (1, 2)]
    write_csv(tmp_path / "landing" / "orders.csv", [*lines, {**ORDERS[1], "currency": "EUR"}])
    settings = settings_of(
        tmp_path / "landing",
        tmp_path / "warehouse",
        connectors="files",
        reporting_currency="EUR",
    )
    run_intake(settings, as_of=None, run_id="test")
    dbt(settings, "build", "--select", "+int_orders__dated", "currencies")
    message = failure_message(run_checks(settings, "intermediate", "test", ["int_orders__dated"]))
    head, failing = failing_rows(message)
    assert head.startswith("intermediate.int_orders__dated: ")
    assert "exchange_rate" in head
    assert "2 of 3 rows" in head
    found = [(row["order_id"], row["currency"]) for row in read_csv(failing)]
    assert sorted(found) == [("x1", "NOK"), ("x2", "NOK")]


def test_a_file_most_of_which_is_rejected_is_not_published(own: Settings) -> None:
    published, before = current_id(own), contents(own)
    amounts = ["1.234,56"] * 60 + ["5.00"] * 50
    lines = [
        {**ORDERS[0], "order_id": f"x{number}", "merchandise_amount": amount}
        for number, amount in enumerate(amounts)
    ]
    write_csv(own.landing / "orders_2.csv", lines)
    with webhook() as hook:
        message = run_error(own, 1, REGULARS_ALERT_WEBHOOK=hook.url)
    head, failing = failing_rows(message)
    (alert,) = hook.received
    assert [line.split("; ")[0] for line in alert["problems"]] == [head]
    assert alert["readers_see"]["generation"] == published
    assert head == "raw.intake__files: most_records_of_a_file_fit: 1 unexpected rows"
    (row,) = read_csv(failing)
    assert (row["file"], row["records"], row["rejected"]) == ("orders_2.csv", "110", "60")
    assert Path(failing).stat().st_mode & 0o077 == 0
    assert current_id(own) == published
    assert contents(own) == before


def test_a_shop_all_of_whose_order_files_are_held(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "orders.csv", [{"order_id": 1, "placed_at": "2025-01-01", "total": 5}])
    write_csv(landing / "customers.csv", [{"customer_id": "c1"}])
    with pytest.raises(CheckFailed) as caught:
        rebuild(settings_of(landing, tmp_path / "warehouse", connectors="files"))
    why = "lacks the required column ordered_at; columns found: 'order_id', 'placed_at', 'total'"
    assert str(caught.value).startswith(
        f"no orders were loaded from {landing}; held: orders.csv {why}; "
    )
    assert caught.value.exit_code == 1
    assert not (tmp_path / "warehouse" / "published" / "current").exists()


def test_a_warehouse_that_another_run_holds(own: Settings) -> None:
    log = own.build_dir / "run.log"
    with warehouse_lock(own, "nightly"):
        log.write_text("what the nightly run has said\n")
        for message in (
            run_error(own, 3),
            error_of("rollback", "--warehouse", own.warehouse, code=3, here=False),
        ):
            assert message.startswith(f"{own.warehouse} is in use by process {os.getpid()} ")
            assert "nightly" in message
        assert ask("query", "--warehouse", own.warehouse, "select 1").returncode == 0
        assert log.read_text().startswith("what the nightly run has said\n")
    assert ask("rollback", "--warehouse", own.warehouse).returncode == 0


# query


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_an_answer_in_every_format(shop: Settings, tmp_path: Path, format: str) -> None:
    sql = "select order_id, net_sales, order_date, order_number from fct_orders order by 1"
    output = tmp_path / f"answer.{format}"
    given = ("query", "--warehouse", shop.warehouse, sql, "--format", format)
    result = ask(*given, "--output", output)
    assert (result.returncode, result.stdout) == (0, "")
    expected = [("1", 10, "2025-01-01", 1), ("2", 20, "2025-02-01", 2), ("3", 30, "2025-03-01", 3)]
    if format == "parquet":
        found = duckdb.sql(f"from read_parquet('{output}')").fetchall()
        typed = [(key, Decimal(net), date.fromisoformat(day), n) for key, net, day, n in expected]
        assert found == typed
        return
    text = output.read_text()
    assert ask(*given).stdout == text
    lines = json.loads(text) if format == "json" else list(csv.DictReader(io.StringIO(text)))
    values = [
        (line["order_id"], float(line["net_sales"]), line["order_date"], int(line["order_number"]))
        for line in lines
    ]
    assert values == expected


def test_an_answer_as_a_table(shop: Settings) -> None:
    result = ask("query", "--warehouse", shop.warehouse, "select 7 as seven, null as none")
    assert [line.split() for line in result.stdout.splitlines()[:3:2]] == [
        ["seven", "none"],
        ["7", "∅"],
    ]
    assert result.stdout.splitlines()[-1] == "1 row"


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select * from fct_ordres", "fct_ordres does not exist! Did you mean"),
        ("select from where", "syntax error"),
        ("drop table fct_orders", "this is no question"),
        ("copy fct_orders to 'x.csv'", "this is no question"),
        ("from read_csv('/etc/passwd')", "disabled"),
        ("select cast('x' as integer)", "Could not convert string 'x'"),
        ("", "this is no question"),
    ],
)
def test_a_question_that_is_none(shop: Settings, sql: str, says: str) -> None:
    assert says in error_of("query", "--warehouse", shop.warehouse, sql, code=2)


def test_a_question_before_anything_is_published(tmp_path: Path) -> None:
    message = error_of("query", "--warehouse", tmp_path, "select 1", code=2)
    assert message == f"{tmp_path}: nothing is published yet; run `regulars run` first"


def test_parquet_needs_a_file_and_a_file_a_folder(shop: Settings, tmp_path: Path) -> None:
    given = ("query", "--warehouse", shop.warehouse, "select 1")
    assert "name one" in error_of(*given, "--format", "parquet", code=2)
    missing = tmp_path / "no" / "answer.csv"
    message = error_of(*given, "--format", "csv", "--output", missing, code=2)
    assert message == f"cannot write {missing}: No such file or directory"


# fit


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_a_fit_before_anything_is_built(tmp_path: Path, engine: str) -> None:
    result = regulars("fit", "--warehouse", tmp_path / "warehouse", "--engine", engine)
    assert result.returncode == 2
    assert "error: " in result.stderr and "built" in result.stderr


# rollback


def test_rollback_goes_back_and_says_where_it_stands(own: Settings) -> None:
    older, newer = (version.id for version in generations(own))
    count = "select count(*) from fct_orders"
    assert rows(own, count) == [(3,)]
    listed = ask("rollback", "--list", "--warehouse", own.warehouse).stdout
    assert current_id(own) == newer
    assert [older in line for line in listed.splitlines()].count(True) == 1
    assert "current" in next(line for line in listed.splitlines() if newer in line)
    result = ask("rollback", "--warehouse", own.warehouse)
    assert result.returncode == 0
    assert "current" in next(line for line in result.stdout.splitlines() if older in line)
    assert rows(own, count) == [(2,)]
    message = error_of("rollback", "--warehouse", own.warehouse, code=2)
    assert message.startswith("there is no generation to go back to; kept: ")
    assert ask("rollback", "--to", newer, "--warehouse", own.warehouse).returncode == 0
    assert rows(own, count) == [(3,)]
    message = error_of("rollback", "--to", "../..", "--warehouse", own.warehouse, code=2)
    assert message.startswith("generation ../.. is not kept; kept: ")
    assert older in message and newer in message


def test_the_status_says_what_readers_see_and_fails_where_it_is_old(
    own: Settings, tmp_path: Path
) -> None:
    current = current_id(own)
    for options in ((), ("--max-age", 24)):
        said = ask("status", "--warehouse", own.warehouse, *options)
        assert said.returncode == 0
        assert said.stdout.startswith(f"{current}, as of 2025-03-01, published 0.")
    old = error_of("status", "--warehouse", own.warehouse, "--max-age", 0, code=1)
    assert old.startswith(f"the version that readers see is too old: {current}, ")
    none = error_of("status", "--warehouse", tmp_path / "none", code=1)
    assert none.endswith("nothing is published yet")


def test_a_reader_need_not_see_what_else_is_in_the_folder(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    result = CliRunner().invoke(app, ["status", "--warehouse", str(own.warehouse)])
    assert (result.exit_code, "as of 2025-03-01" in result.stdout) == (0, True)


def test_settings_that_cannot_be_read(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    file = own.landing / "regulars.toml"
    file.write_text("time_zone = Berlin\n")
    with pytest.raises(InputError, match=r"^regulars\.toml in the landing folder: Invalid value"):
        load_settings(landing=own.landing)
    opened = Path.open

    def refused(path: Path, *arguments: Any, **options: Any) -> Any:
        if path == file:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match=r"toml cannot be read: Permission denied$"):
        load_settings(landing=own.landing)


def test_a_backfill_whose_dates_are_none(own: Settings) -> None:
    where = ("--landing", own.landing, "--warehouse", own.warehouse, "--connector", "files")
    assert "FROM '2025' is not a date" in error_of("backfill", "2025", "2025-01-01", *where, code=2)
    said = error_of("backfill", "2025-02-01", "2025-01-01", *where, code=2)
    assert said == "2025-01-01 is before 2025-02-01; name the earlier date first"


@pytest.mark.long
def test_a_backfill_leaves_what_readers_see(own: Settings) -> None:
    given = ("--landing", own.landing, "--warehouse", own.warehouse, "--connector", "files")
    before = contents(own)
    result = regulars("backfill", "2025-01-31", "2025-02-28", *given)
    assert result.returncode == 0, result.stderr
    for day, orders in (("2025-01-31", 1), ("2025-02-28", 2)):
        file = own.published_dir / "as_of" / day / "warehouse.duckdb"
        assert f"{day}  {file}" in result.stdout
        where = ("--warehouse", own.warehouse, "--format", "csv", "--as-of", day)
        assert ask("query", *where, "select count(*) from fct_orders").stdout.split()[1] == str(
            orders
        )
    assert contents(own) == before
    assert "Exports wait for the next `regulars run`" in result.stdout


def test_rollback_where_nothing_was_published(tmp_path: Path) -> None:
    message = error_of("rollback", "--warehouse", tmp_path, code=2)
    assert message.endswith("kept: none, nothing was published yet")


# doctor


def test_the_doctor_says_what_a_run_would_make_of_every_file(tmp_path: Path) -> None:
    landing = write_dirty_folder(tmp_path / "landing")
    result = regulars("doctor", "--connector", "files", "--landing", landing, COLUMNS="80")
    assert result.returncode == 0
    found = result.stdout.splitlines()
    for file, reasons in HELD.items():
        (line,) = (text for text in found if text.startswith(f"  {file}: "))
        assert line.startswith(f"  {file}: held: ")
        for reason in reasons:
            assert reason in line
    assert "  orders_good.csv: 3 records; 5 columns" in found
    comma = found.index("  orders_comma.csv: 4 records, 2 rejected; 5 columns")
    assert "    2 rejected, as line 3: merchandise_amount: expected" in found[comma + 2]
    assert "  notes.txt: unrecognised: matches no entity's file pattern" in found
    *gives, missing = [line.strip() for line in found[found.index("This gives") + 1 :] if line]
    assert [line.split(":")[0] for line in gives] == ["orders", "refunds"]
    assert missing.startswith("not there: order_lines, customers, payments, ")
    assert {path.name for path in tmp_path.iterdir()} == {"landing", "elsewhere.csv"}


def test_the_doctor_says_when_a_run_would_fail(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_id\n1\n")
    result = ask("doctor", "--connector", "files", "--landing", tmp_path)
    assert result.returncode == 1
    assert result.stderr == "error: no orders would be loaded, so `regulars run` would fail\n"
    assert "  orders.csv: held: lacks the required column ordered_at" in result.stdout


# demo


def test_demo_writes_the_shop_that_was_asked_for(tmp_path: Path) -> None:
    def write(folder: str, seed: int) -> dict[str, bytes]:
        options = ("--customers", 500, "--days", 60, "--seed", seed)
        result = regulars("demo", "--landing", tmp_path / folder, *options)
        assert result.returncode == 0, result.stderr
        assert "a synthetic shop of 500 customers" in result.stdout
        assert str(tmp_path / folder / "demo") in result.stdout
        exports = (tmp_path / folder / "demo").iterdir()
        return {path.name: path.read_bytes() for path in exports}

    first = write("a", 4)
    assert write("b", 4) == first
    assert write("c", 5) != first
    days = [line.split(b",")[-1][:10] for line in first["orders_2025.csv"].splitlines()[1:]]
    assert min(day for day in days if day.startswith(b"2")) >= b"2025-11-01"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--customers", 20), "customers is 20; the synthetic shop needs 500"),
        (("--days", 3), "days is 3; the synthetic shop needs 30"),
    ],
)
def test_demo_refuses_a_shop_that_is_too_small(
    tmp_path: Path, options: tuple[object, ...], says: str
) -> None:
    assert error_of("demo", "--landing", tmp_path, *options, code=2, here=False) == says


def test_demo_does_not_write_over_a_real_shop(tmp_path: Path) -> None:
    real = write_csv(tmp_path / "demo" / "orders_2025.csv", ORDERS)
    before = real.read_bytes()
    given = ("--landing", tmp_path, "--customers", 500)
    message = error_of("demo", *given, code=2, here=False)
    assert message.startswith(f"{tmp_path / 'demo'} holds no synthetic shop")
    assert real.read_bytes() == before


# help


@pytest.mark.parametrize("command", ["run", "demo", "doctor", "query", "rollback"])
def test_help_has_an_example(command: str) -> None:
    result = ask(command, "--help")
    assert result.returncode == 0
    example = " ".join(result.stdout.split("Example: ")[1].split())
    assert example.startswith(f"regulars {command} ")


def test_help_alone_lists_every_command() -> None:
    result = ask("--help")
    assert result.returncode == 0
    for command in ("run", "demo", "doctor", "query", "rollback"):
        assert command in result.stdout
