"""Each type of expectation, tried on good data and on planted faults counted by hand."""

import csv
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest
import yaml

from dagster_project.lib.errors import BusyError, InputError
from dagster_project.lib.expectations.results import (
    CheckResult,
    failure_message,
    read_results,
    write_results,
)
from dagster_project.lib.expectations.run import run_checks
from dagster_project.lib.expectations.suites import LAYERS, Type, load_suites
from dagster_project.lib.settings import Settings, load_settings

# Ten orders. `bad_orders` is the same but for the faults named at its end.
GOOD = """
    select
        'o' || i as order_id, 'files' as source_name, i % 5 as customer_id,
        (i * 10)::decimal(18, 2) as amount, 'paid' as status,
        date '2024-01-01' + i::integer as order_date, timestamp '2024-01-01 09:00' as ordered_at
    from range(1, 11) as numbers(i)
"""
BAD = f"""
    select * replace (
        case order_id when 'o1' then null when 'o3' then 'o2' else order_id end as order_id,
        case order_id when 'o4' then -5 else amount end as amount,
        case when order_id in ('o5', 'o6') then 'payed' else status end as status
    ) from ({GOOD})
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings(landing=tmp_path / "landing", warehouse=tmp_path / "ware'house")
    settings.build_dir.mkdir(parents=True)
    settings.raw_dir.mkdir()
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("create schema staging")
        connection.execute(f"create table staging.orders as {GOOD}")
        connection.execute(f"create table staging.bad_orders as {BAD}")
        connection.execute("create table staging.empty_orders as from staging.orders limit 0")
        connection.execute("create table staging.null_orders as select null::integer as amount")
    return settings


def entry(type_: str, kwargs: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {
        "type": type_,
        "kwargs": kwargs,
        "severity": "critical",
        "description": "a bound for this test",
        **given,
    }


def check(
    settings: Settings, table: str, *entries: dict[str, Any], layer: str = "staging", **suite: Any
) -> list[CheckResult]:
    """What the given expectations find in one table."""
    directory = settings.warehouse / "expectations"
    (directory / layer).mkdir(parents=True, exist_ok=True)
    content = {**suite, "expectations": list(entries)}
    (directory / layer / f"{table}.yml").write_text(yaml.safe_dump(content, sort_keys=False))
    return run_checks(settings, layer, "run-1", [table], directory)


def read_csv(path: Path | None) -> list[dict[str, str]]:
    assert path is not None
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


BATCH = "select * from {batch} where not regexp_matches(order_id, '^o[0-9]{{1,2}}$')"
COLUMNS = ["order_id", "source_name", "customer_id", "amount", "status", "order_date", "ordered_at"]

# type, kwargs, what the good table shows, what the bad table shows, orders in the failing rows
CASES: list[tuple[str, dict[str, Any], str, str, list[str] | None]] = [
    (
        "expect_column_values_to_not_be_null",
        {"column": "order_id"},
        "0 of 10 rows",
        "1 of 10 rows (10 %)",
        [""],
    ),
    (
        "expect_column_values_to_be_unique",
        {"column": "order_id"},
        "0 of 10 rows",
        "2 of 9 rows (22.2 %)",
        ["o2", "o2"],
    ),
    (
        "expect_compound_columns_to_be_unique",
        {"column_list": ["source_name", "order_id"]},
        "0 of 10 rows",
        "2 of 10 rows (20 %)",
        ["o2", "o2"],
    ),
    (
        "expect_column_values_to_be_in_set",
        {"column": "status", "value_set": ["paid", "shipped"]},
        "0 of 10 rows",
        "2 of 10 rows (20 %)",
        ["o5", "o6"],
    ),
    (
        "expect_column_values_to_be_in_set",
        {"column": "status", "value_set": ["paid"], "mostly": 0.9},
        "0 of 10 rows",
        "2 of 10 rows (20 %)",
        ["o5", "o6"],
    ),
    (
        "expect_column_values_to_be_between",
        {"column": "amount", "min_value": 0, "max_value": 100, "strict_min": True},
        "0 of 10 rows",
        "1 of 10 rows (10 %)",
        ["o4"],
    ),
    (
        "unexpected_rows_expectation",
        {"unexpected_rows_query": "select * from {batch} where amount < 0 or status = 'payed'"},
        "0 unexpected rows",
        "3 unexpected rows",
        ["o4", "o5", "o6"],
    ),
    (
        "expect_column_min_to_be_between",
        {"column": "amount", "min_value": 0},
        "10",
        "-5",
        None,
    ),
    # 550 in all; the bad table has -5 in place of 40
    ("expect_column_sum_to_be_between", {"column": "amount", "min_value": 520}, "550", "505", None),
    ("expect_column_mean_to_be_between", {"column": "amount", "min_value": 52}, "55", "50.5", None),
    (
        "expect_column_unique_value_count_to_be_between",
        {"column": "status", "max_value": 1},
        "1",
        "2",
        None,
    ),
    # 8 different ids in 9 that are there
    (
        "expect_column_proportion_of_unique_values_to_be_between",
        {"column": "order_id", "min_value": 1},
        "1",
        "0.888888888889",
        None,
    ),
    (
        "expect_column_proportion_of_non_null_values_to_be_between",
        {"column": "order_id", "min_value": 0.95},
        "1",
        "0.9",
        None,
    ),
]


@pytest.mark.parametrize(("type_", "kwargs", "good", "bad", "failing"), CASES)
def test_expectation_passes_on_good_and_fails_on_planted_data(
    settings: Settings,
    type_: str,
    kwargs: dict[str, Any],
    good: str,
    bad: str,
    failing: list[str] | None,
) -> None:
    (passed,) = check(settings, "orders", entry(type_, kwargs))
    assert (passed.passed, passed.observed, passed.failing_rows) == (True, good, None)
    (failed,) = check(settings, "bad_orders", entry(type_, kwargs))
    assert (failed.passed, failed.observed) == (False, bad)
    if failing is None:
        assert failed.failing_rows is None
    else:
        assert [row["order_id"] for row in read_csv(failed.failing_rows)] == failing


@pytest.mark.parametrize(
    ("type_", "kwargs", "observed"),
    [
        ("expect_table_row_count_to_be_between", {"min_value": 11}, "10"),
        ("expect_table_columns_to_match_set", {"column_set": [*COLUMNS, "tax"]}, "missing: tax"),
        ("expect_table_columns_to_match_set", {"column_set": COLUMNS[1:]}, "unexpected: order_id"),
        # amounts 10, 20 .. 100: the sample's variance is 8250 / 9
        (
            "expect_column_stdev_to_be_between",
            {"column": "amount", "max_value": 30},
            "30.276503541",
        ),
        (
            "expect_column_max_to_be_between",
            {"column": "ordered_at", "max_value": "2024-01-01 08:59:59"},
            "2024-01-01 09:00:00",
        ),
        (
            "expect_column_max_to_be_between",
            {"column": "order_date", "max_value": "2024-01-10"},
            "2024-01-11",
        ),
        ("unexpected_rows_expectation", {"unexpected_rows_query": BATCH[:-2] + "0$'"}, ""),
    ],
)
def test_bound_just_missed(
    settings: Settings, type_: str, kwargs: dict[str, Any], observed: str
) -> None:
    (result,) = check(settings, "orders", entry(type_, kwargs))
    assert not result.passed
    assert result.observed.startswith(observed)


@pytest.mark.parametrize(
    ("type_", "kwargs"),
    [
        ("expect_table_row_count_to_be_between", {"min_value": 10, "max_value": 10}),
        ("expect_table_columns_to_match_set", {"column_set": COLUMNS}),
        ("expect_column_stdev_to_be_between", {"column": "amount", "max_value": 30.3}),
        (
            "expect_column_max_to_be_between",
            {"column": "ordered_at", "max_value": "2024-01-01 09:00:00"},
        ),
        ("expect_column_max_to_be_between", {"column": "order_date", "max_value": "2024-01-11"}),
        (
            "expect_column_values_to_be_in_set",
            {"column": "status", "value_set": ["paid"], "mostly": 0.8},
        ),
        ("unexpected_rows_expectation", {"unexpected_rows_query": BATCH}),
    ],
)
def test_bound_just_met(settings: Settings, type_: str, kwargs: dict[str, Any]) -> None:
    table = "bad_orders" if "mostly" in kwargs else "orders"
    (result,) = check(settings, table, entry(type_, kwargs))
    assert result.passed, result.observed


def test_dates_written_as_yaml_dates(settings: Settings) -> None:
    bound = yaml.safe_load("{column: order_date, min_value: 2024-01-03}")
    (result,) = check(settings, "orders", entry("expect_column_values_to_be_between", bound))
    assert result.observed == "1 of 10 rows (10 %)"
    assert [row["order_id"] for row in read_csv(result.failing_rows)] == ["o1"]


def test_every_allowed_type_is_tried_above() -> None:
    marks = [test_bound_just_missed.pytestmark[0].args[1], CASES]
    assert {case[0] for cases in marks for case in cases} == set(get_args(Type))


def test_one_that_raises_leaves_the_others_of_its_table_alone(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    results = check(
        settings,
        "orders",
        entry("expect_column_mean_to_be_between", {"column": "status", "min_value": 1}),
        entry("expect_column_mean_to_be_between", {"column": "amount", "min_value": 1}),
        entry("expect_column_values_to_not_be_null", {"column": "nope"}),
        entry(
            "unexpected_rows_expectation",
            {"unexpected_rows_query": "select status::integer from {batch}"},
        ),
        entry("expect_column_values_to_not_be_null", {"column": "status"}),
    )
    assert [result.passed for result in results] == [False, True, False, False, True]
    assert results[0].observed.startswith("Binder Error: No function matches")
    assert 'column "nope"' in results[2].observed
    assert results[3].observed.startswith("Conversion Error")
    assert "paid" not in results[3].observed  # a value may be somebody's e-mail address
    assert capfd.readouterr() == ("", "")


def test_ids_labels_and_severity(settings: Settings) -> None:
    bounds = {"column": "amount", "min_value": 1, "max_value": 50}
    results = check(
        settings,
        "bad_orders",
        entry("expect_column_values_to_be_between", bounds, severity="warning"),
        entry("expect_column_values_to_be_between", bounds, id="amount_again"),
        entry("expect_table_row_count_to_be_between", {"min_value": 1}),
    )
    assert [result.check_id for result in results] == [
        "staging.bad_orders.expect_column_values_to_be_between.amount",
        "staging.bad_orders.amount_again",
        "staging.bad_orders.expect_table_row_count_to_be_between",
    ]
    assert [result.severity for result in results] == ["warning", "critical", "critical"]
    label = "expect_column_values_to_be_between(amount, min_value 1, max_value 50)"
    assert results[0].expectation == label
    assert failure_message(results) == (
        f"staging.bad_orders: {label}: 6 of 10 rows (60 %);"
        f" failing rows in {settings.build_dir}/failing_rows/staging.bad_orders.amount_again.csv"
        " (a bound for this test)"
    )
    assert (results[0].run_id, results[0].description) == ("run-1", "a bound for this test")


def test_table_without_rows_or_values(settings: Settings) -> None:
    entries = [
        entry(type_, kwargs)
        for type_, kwargs, *_ in CASES
        if type_ != "unexpected_rows_expectation" and "mostly" not in kwargs
    ]
    results = check(settings, "empty_orders", *entries)
    assert {(result.passed, result.observed) for result in results} == {(True, "no rows")}
    query = {"unexpected_rows_query": BATCH}
    (rows,) = check(settings, "empty_orders", entry("unexpected_rows_expectation", query))
    assert rows.passed
    count = entry("expect_table_row_count_to_be_between", {"min_value": 1})
    assert [result.passed for result in check(settings, "empty_orders", count)] == [False]
    missing = {"column": "nope"}
    (gone,) = check(settings, "empty_orders", entry("expect_column_values_to_not_be_null", missing))
    assert not gone.passed
    amount = {"column": "amount", "min_value": 1}
    (null,) = check(settings, "null_orders", entry("expect_column_sum_to_be_between", amount))
    assert (null.passed, null.observed) == (True, "no values")


def test_missing_table_and_missing_build_file(settings: Settings) -> None:
    count = entry("expect_table_row_count_to_be_between", {"min_value": 0})
    (result,) = check(settings, "nowhere", count)
    assert not result.passed
    assert result.observed.startswith("the table does not exist")
    settings.build_file.unlink()
    (result,) = check(settings, "orders", count)
    assert not result.passed
    assert result.observed.startswith("the table does not exist")


def test_failing_rows_are_private_limited_and_replaced(settings: Settings) -> None:
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(
            "create table staging.many as select i, 'a,\"b\"' as text from range(1500) as n(i)"
        )
    below = entry("expect_column_values_to_be_between", {"column": "i", "min_value": 1500})
    (result,) = check(settings, "many", below)
    rows = read_csv(result.failing_rows)
    assert result.observed == "1,500 of 1,500 rows (100 %)"
    assert len(rows) == 1000
    assert rows[0] == {"i": "0", "text": 'a,"b"'}
    path = settings.build_dir / "failing_rows"
    assert result.failing_rows == path / f"{result.check_id}.csv"
    assert stat.S_IMODE(result.failing_rows.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    above = entry("expect_column_values_to_be_between", {"column": "i", "min_value": 0})
    check(settings, "many", above)
    assert list(path.iterdir()) == []


def test_raw_tables_are_read_from_their_files(settings: Settings) -> None:
    folder = settings.raw_dir / "demo" / "orders"
    folder.mkdir(parents=True)
    for number in (1, 2):
        duckdb.sql(f"select {number} as n").write_parquet(str(folder / f"{number}.parquet"))
    count = entry("expect_table_row_count_to_be_between", {"min_value": 3})
    ones = entry("expect_column_values_to_be_in_set", {"column": "n", "value_set": [1]})
    first, second = check(settings, "demo__orders", count, ones, layer="raw")
    assert (first.observed, second.observed) == ("2", "1 of 2 rows (50 %)")
    assert read_csv(second.failing_rows) == [{"n": "2"}]
    query = "read_parquet('demo/orders/1.parquet')"
    (result,) = check(settings, "first_file", count, layer="raw", query=query)
    assert result.observed == "1"
    (result,) = check(settings, "demo__refunds", count, layer="raw")
    assert not result.passed
    assert result.observed.startswith("the table does not exist")


def test_build_file_is_free_afterwards(settings: Settings) -> None:
    check(settings, "bad_orders", *(entry(case[0], case[1]) for case in CASES if len(case[1]) < 3))
    write = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create table t as select 1')"
    subprocess.run([sys.executable, "-c", write, str(settings.build_file)], check=True)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("insert into t values (2)")
    assert not list(settings.build_dir.glob("*.wal"))


def test_build_file_that_is_being_written(settings: Settings) -> None:
    count = entry("expect_table_row_count_to_be_between", {"min_value": 1})
    with duckdb.connect(str(settings.build_file)), pytest.raises(BusyError, match="for writing"):
        check(settings, "orders", count)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    command = [sys.executable, "-c", hold, str(settings.build_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(BusyError, match="for writing"):
            check(settings, "orders", count)
        writer.communicate(b"\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("table: orders\nexpectations: ]", "orders.yml:2: this is not YAML"),
        ("table: orders", "orders.yml:1: a list `expectations:` is missing"),
        ("expectations: []\nquery: t", "orders.yml:1: a suite of layer staging has no query"),
        ("expectations:\n- 7", "orders.yml:2: an expectation has type, kwargs, severity"),
    ],
)
def test_suite_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "orders.yml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_suites("staging", directory=tmp_path)
    assert message in str(caught.value)


NULL = "expect_column_values_to_not_be_null"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (entry("expect_regex", {}), "type: Input should be"),
        (entry(NULL, {"column": "a", "colum": "b"}), f"{NULL} does not take colum"),
        (entry(NULL, {"column": "a", "value_set": []}), "value_set: extra fields not permitted"),
        (entry(NULL, {}), "column: field required"),
        (entry(NULL, {"column": "a"}, severity="info"), "severity: Input should be"),
        (entry(NULL, {"column": "a"}, description=""), "description: String should have"),
        (entry(NULL, {"column": "a"}, descripton="x"), "descripton: Extra inputs"),
        (entry(NULL, {"column": "a/../b"}), "cannot name a file; give it a short `id`"),
        (entry(NULL, {"column": "first"}), f"a second staging.orders.{NULL}.first; give it an"),
        (entry("expect_column_sum_to_be_between", {"column": "a"}), "would always pass"),
        (
            entry("unexpected_rows_expectation", {"unexpected_rows_query": "select 1"}),
            "must read from {batch}",
        ),
    ],
)
def test_expectation_that_cannot_be_checked(
    tmp_path: Path, wrong: dict[str, Any], message: str
) -> None:
    (tmp_path / "staging").mkdir()
    path = tmp_path / "staging" / "orders.yml"
    first = entry(NULL, {"column": "first"})
    path.write_text(yaml.safe_dump({"expectations": [first, wrong]}))
    line = path.read_text().splitlines().index("- description: a bound for this test") + 1
    with pytest.raises(InputError) as caught:
        run_checks(load_settings(warehouse=tmp_path), "staging", "run-1", directory=tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")
    assert int(str(caught.value).removeprefix(f"{path}:").partition(":")[0]) > line
    assert "\n" not in str(caught.value)


def test_unknown_layer_or_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="layers are raw, staging"):
        load_suites("gold", directory=tmp_path)
    with pytest.raises(InputError, match="no expectations for orders"):
        load_suites("marts", ["orders"], tmp_path)
    assert load_suites("marts", directory=tmp_path) == []


def test_suites_of_this_project_can_be_read() -> None:
    for layer in LAYERS:
        for suite in load_suites(layer):
            for check_ in suite.checks:
                check_.build()


def test_reading_suites_imports_no_great_expectations() -> None:
    script = "import sys; from dagster_project.lib.expectations.suites import load_suites as read;"
    script += "[read(layer) for layer in ('raw', 'staging', 'intermediate', 'marts')];"
    script += "sys.exit('great_expectations' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_results_are_written_for_dbt(settings: Settings) -> None:
    assert read_results(settings) == []
    path = write_results(settings, [])
    assert read_results(settings) == []
    count = entry("expect_table_row_count_to_be_between", {"min_value": 11})
    results = check(settings, "orders", count)
    assert write_results(settings, results) == path
    assert read_results(settings) == results
    assert path == settings.raw_dir / "quality" / "check_results" / "results.parquet"
    table = duckdb.read_parquet(str(path))
    assert dict(zip(table.columns, map(str, table.types), strict=True)) == {
        "check_id": "VARCHAR",
        "layer": "VARCHAR",
        "table_name": "VARCHAR",
        "expectation": "VARCHAR",
        "severity": "VARCHAR",
        "passed": "BOOLEAN",
        "observed": "VARCHAR",
        "description": "VARCHAR",
        "run_id": "VARCHAR",
    }
    assert table.fetchall() == [
        (
            "staging.orders.expect_table_row_count_to_be_between",
            "staging",
            "orders",
            "expect_table_row_count_to_be_between(min_value 11)",
            "critical",
            False,
            "10",
            "a bound for this test",
            "run-1",
        )
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["results.parquet"]
