"""The same code seen by Dagster: its assets, job, checks, schedule and sensor; and a bare dbt."""

import os
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import pytest

from dagster_project.definitions import defs
from dagster_project.defs import schedules
from dagster_project.defs.sensors import landing_folder
from dagster_project.lib.errors import InputError
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.intake import run_intake
from dagster_project.lib.publish.generations import current_id
from dagster_project.lib.settings import DBT_DIR, PROJECT_ROOT, Settings
from tests.shops import KEY, contents, environment, rebuild, settings_of, write_csv

BIN = Path(sys.executable).parent
ORDERS = [
    {
        "order_id": number,
        "customer_id": f"c{number % 3}",
        "ordered_at": f"2025-0{number}-01 10:00:00",
        "merchandise_amount": 10 * number,
    }
    for number in range(1, 7)
]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A landing folder of the connector `files`, which settings read from the environment mean."""
    for name in [name for name in os.environ if name.startswith("REGULARS_")]:
        monkeypatch.delenv(name)
    settings = settings_of(tmp_path / "landing", tmp_path / "warehouse", connectors="files")
    for name, value in {**settings.environment(), "REGULARS_HASH_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    settings.landing.mkdir()
    return settings


# Assets


def test_assets_are_grouped_by_layer() -> None:
    groups: dict[str, set[str]] = {}
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        groups.setdefault(graph.get(key).group_name or "", set()).add(key.path[0])
    assert groups == {
        "raw": {*load_connectors(), "intake", "run", "quality", "previous", "activation"},
        "seeds": {"seeds"},
        "staging": {"staging", "pii"},
        "intermediate": {"intermediate", "pii"},
        "ltv": {"ltv"},
        "marts": {"marts"},
        "published": {"published"},
    }


def test_every_asset_of_the_job_is_described_and_made_by_something() -> None:
    graph = defs.resolve_asset_graph()
    job = defs.resolve_job_def("daily_refresh")
    selected = job.asset_layer.executable_asset_keys
    assert selected == graph.executable_asset_keys
    assert [key for key in selected if not graph.get(key).description] == []
    made = {key.path[-1] for key in selected if key.path[0] == "marts"}
    published = graph.get(dg.AssetKey(["published", "warehouse"])).parent_keys
    assert {key.path[-1] for key in published} == made


# The job


@pytest.mark.long
def test_the_job_by_dg_gives_the_marts_of_the_command_line(
    demo: Path, demo_landing: Path, tmp_path: Path
) -> None:
    given = {"REGULARS_LANDING": str(demo_landing), "REGULARS_WAREHOUSE": str(tmp_path / "w")}
    result = subprocess.run(
        [BIN / "dg", "launch", "--job", "daily_refresh"],
        cwd=PROJECT_ROOT,
        env=environment(**given, DAGSTER_HOME=""),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert contents(tmp_path / "w") == contents(demo)


@pytest.mark.long
def test_the_job_in_process_materializes_every_asset(shop: Settings) -> None:
    write_csv(shop.landing / "orders.csv", ORDERS)
    result = daily_refresh()
    assert result.success
    job = defs.resolve_job_def("daily_refresh")
    made = {event.asset_key for event in result.get_asset_materialization_events()}
    assert made >= job.asset_layer.executable_asset_keys
    assert all(check.passed for check in result.get_asset_check_evaluations())
    again = settings_of(shop.landing, shop.warehouse.parent / "other", connectors="files")
    assert contents(shop) == contents(rebuild(again))


def daily_refresh() -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def("daily_refresh").execute_in_process(raise_on_error=False)


def test_a_failing_critical_check_blocks_what_is_downstream(shop: Settings) -> None:
    lines = [
        {**ORDERS[0], "order_id": n, "merchandise_amount": "1,5" if n % 3 else "1.5"}
        for n in range(150)
    ]
    write_csv(shop.landing / "orders.csv", lines)
    result = daily_refresh()
    assert not result.success
    made = {event.asset_key.path[0] for event in result.get_asset_materialization_events()}
    assert made == {*load_connectors(), "intake", "run", "previous"}  # the raw layer
    (failed,) = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert failed.asset_key == dg.AssetKey(["intake", "files"])
    assert (failed.check_name, failed.severity) == (
        "critical_expectations",
        dg.AssetCheckSeverity.ERROR,
    )
    said = failed.metadata["most_records_of_a_file_fit"].value
    assert str(said).startswith("FAILED: 1 unexpected rows; failing rows in ")
    assert current_id(shop) is None
    assert not shop.build_file.exists()
    (step,) = result.get_failed_step_keys()
    assert step == "raw_checks"
    retries = [event for event in result.all_events if event.is_step_up_for_retry]
    assert retries == []


# The schedule


@pytest.mark.parametrize(
    ("time_zone", "morning", "as_of"),
    [
        ("Europe/Berlin", "2025-03-30", "2025-03-29"),  # the clock has gone forward in the night
        ("Europe/Berlin", "2025-03-31", "2025-03-30"),
        ("Europe/Berlin", "2025-10-26", "2025-10-25"),  # and back
        ("Pacific/Auckland", "2025-06-01", "2025-05-31"),  # in UTC it is still the day before
        ("America/Los_Angeles", "2024-03-01", "2024-02-29"),
    ],
)
def test_the_schedule_runs_every_morning_as_of_the_day_before(
    shop: Settings, monkeypatch: pytest.MonkeyPatch, time_zone: str, morning: str, as_of: str
) -> None:
    monkeypatch.setenv("REGULARS_TIME_ZONE", time_zone)
    schedule = runpy.run_path(str(schedules.__file__))["every_morning"]
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 5 * * *", time_zone)
    tick = datetime.fromisoformat(f"{morning}T05:00:00").replace(tzinfo=ZoneInfo(time_zone))
    request = schedule(dg.build_schedule_context(scheduled_execution_time=tick))
    assert request.run_config == {"ops": {"raw_files": {"config": {"as_of": as_of}}}}
    assert request.run_key == as_of


def test_the_schedule_and_the_sensor_belong_to_the_job() -> None:
    assert defs.resolve_schedule_def("every_morning").job_name == "daily_refresh"
    assert defs.resolve_sensor_def("landing_folder").job_name == "daily_refresh"


# The sensor


class Watch:
    """The sensor as the daemon asks it: with the cursor that it left, remembering run keys."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.keys: set[str] = set()

    def look(self) -> str:
        """`run`, or why not."""
        context = dg.build_sensor_context(cursor=self.cursor)
        answer = landing_folder(context)
        self.cursor = context.cursor
        if isinstance(answer, dg.SkipReason):
            return answer.skip_message or ""
        if answer.run_key in self.keys:
            return "the daemon has launched a run of this key before"
        if answer.run_key:
            self.keys.add(answer.run_key)
        return "run"


@pytest.fixture
def watch(shop: Settings) -> Iterator[Watch]:
    with dg.instance_for_test():
        yield Watch()


def settle(*paths: Path, seconds: int = 120) -> None:
    for path in paths:
        os.utime(path, (time.time() - seconds,) * 2)


def test_the_sensor_skips_a_landing_folder_without_files(shop: Settings, watch: Watch) -> None:
    assert "no files in the landing folder" in watch.look()
    shop.landing.rmdir()
    assert "does not exist" in watch.look()


def test_the_sensor_waits_until_files_are_written_and_runs_once(
    shop: Settings, watch: Watch
) -> None:
    orders = write_csv(shop.landing / "orders.csv", ORDERS[:3])
    assert watch.look() == "files are still being written"
    settle(orders)
    assert watch.look() == "run"
    assert watch.look() == "nothing has changed in the landing folder"
    refunds = write_csv(
        shop.landing / "refunds.csv",
        [{"refund_id": 1, "order_id": 1, "amount": 1, "refunded_at": "2025-02-01"}],
    )
    assert watch.look() == "files are still being written"
    settle(refunds)
    assert watch.look() == "run"
    assert watch.look() == "nothing has changed in the landing folder"


def test_the_sensor_runs_when_a_file_is_replaced_and_when_it_comes_back(
    shop: Settings, watch: Watch
) -> None:
    orders = write_csv(shop.landing / "orders.csv", ORDERS[:3])
    settle(orders, seconds=900)
    assert watch.look() == "run"
    kept = shop.landing.parent / "kept.csv"
    shutil.move(orders, kept)
    settle(write_csv(orders, ORDERS[3:]), seconds=300)
    assert watch.look() == "run"
    shutil.move(kept, orders)
    assert watch.look() == "run"


def test_the_sensor_does_not_look_at_what_intake_ignores(shop: Settings, watch: Watch) -> None:
    settle(write_csv(shop.landing / "orders.csv", ORDERS))
    assert watch.look() == "run"
    (shop.landing / "_notes.txt").write_text("mine")
    (shop.landing / ".orders.csv.part").write_text("half a fi")
    assert watch.look() == "nothing has changed in the landing folder"


# dbt without Dagster


def dbt_build(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`dbt build` as a person calls it, who has set REGULARS_WAREHOUSE."""
    output = settings.warehouse.parent / "dbt"
    folders = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR)]
    outputs = ["--target-path", str(output), "--log-path", str(output)]
    return subprocess.run(
        [BIN / "dbt", "build", *folders, *outputs, *arguments],
        env={**environment(), "REGULARS_WAREHOUSE": str(settings.warehouse)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def count(settings: Settings, mart: str) -> int:
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        return int(connection.execute(f"select count(*) from marts.{mart}").fetchall()[0][0])


@pytest.mark.parametrize(
    "files", [0, pytest.param(1, marks=pytest.mark.long)], ids=["empty", "filled"]
)
def test_a_bare_dbt_build_passes(shop: Settings, files: int) -> None:
    if files:
        write_csv(shop.landing / "orders.csv", ORDERS)
        run_intake(shop, as_of=date(2025, 12, 31), run_id="test")
    else:
        with pytest.raises(InputError):
            run_intake(shop, as_of=None, run_id="test")
    result = dbt_build(shop, "--exclude-resource-type", "unit_test")
    assert result.returncode == 0, result.stdout[-3000:]
    assert count(shop, "fct_orders") == len(ORDERS) * files
    assert count(shop, "dim_customers") == 3 * files
    assert count(shop, "fct_sales_daily") == len(ORDERS) * files


@pytest.mark.long
def test_a_bare_dbt_build_with_its_unit_tests_passes(shop: Settings) -> None:
    with pytest.raises(InputError):
        run_intake(shop, as_of=None, run_id="test")
    result = dbt_build(shop)
    assert result.returncode == 0, result.stdout[-3000:]
    assert count(shop, "fct_orders") == 0
