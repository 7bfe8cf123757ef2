"""The same code seen by Dagster: its assets, job, checks, schedule and sensor; and a bare dbt."""

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import pytest
import yaml
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy
from dagster._core.launcher import WorkerStatus

from dagster_project.definitions import defs
from dagster_project.defs import launcher, schedules, sensors
from dagster_project.defs.dbt import assets as dbt_assets
from dagster_project.defs.jobs import BY_COMMAND_LINE, run_config
from dagster_project.defs.publish.assets import KEY
from dagster_project.defs.resources import RETRY_IO, retry_only_io
from dagster_project.lib.dbt import build_arguments
from dagster_project.lib.errors import CheckFailed, InputError, StorageError
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.intake import run_intake
from dagster_project.lib.lock import warehouse_lock
from dagster_project.lib.publish.generations import current_id
from dagster_project.lib.publish.query import connect_published
from dagster_project.lib.settings import DBT_DIR, PROJECT_ROOT, Settings
from tests.receivers import webhook
from tests.shops import KEY as HASH_KEY
from tests.shops import contents, environment, rebuild, rows, settings_of, write_csv

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
    for name, value in {**settings.environment(), "REGULARS_HASH_KEY": HASH_KEY}.items():
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


def test_a_morning_a_landed_file_and_a_backfill(
    shop: Settings, watch: "Watch", monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the daemon goes about it: what is evaluated is executed, one after the other."""
    monkeypatch.setattr(dbt_assets, "build_arguments", without_tests)
    job, instance = defs.resolve_job_def("daily_refresh"), watch.instance

    def execute(config: dict[str, Any]) -> dg.ExecuteInProcessResult:
        result = job.execute_in_process(config, instance=instance)
        assert result.success
        return result

    write_csv(shop.landing / "orders.csv", ORDERS[:5])
    morning = datetime(2025, 5, 31, 5, tzinfo=UTC)
    context = dg.build_schedule_context(instance, scheduled_execution_time=morning)
    request = schedules.every_morning(context)
    assert isinstance(request, dg.RunRequest)
    execute(dict(request.run_config))
    assert rows(shop, "select as_of_date from meta.publication") == [(date(2025, 5, 30),)]
    assert watch.look() == CHANGED

    write_csv(shop.landing / "orders_2.csv", ORDERS[5:])
    assert [watch.look(), watch.look()] == [CHANGED, "run"]
    assert watch.requested is not None
    landed = execute(dict(watch.requested.run_config))
    sales = sum(int(str(order["merchandise_amount"])) for order in ORDERS)
    assert figures(landed, "fct_orders") == {"dagster/row_count": len(ORDERS), "net_sales": sales}
    assert figures(landed, "dim_customers") == {"dagster/row_count": 3, "buyers": 3}
    current, published = current_id(shop), contents(shop)
    report = shop.report_file.read_bytes()

    past = date(2025, 4, 15)
    made = execute(run_config(past, make_current=False))
    with connect_published(shop, past) as connection:
        assert connection.execute("select count(*) from fct_orders").fetchall() == [(4,)]
        assert connection.execute("select count(*) from fct_restatements").fetchall() == [(0,)]
    keys = {event.asset_key for event in made.get_asset_materialization_events()}
    assert KEY not in keys, "readers see what they saw, and it is as old as before"
    assert dg.AssetKey(["published", "report"]) not in keys
    assert figures(made, "fct_orders") == {}, "what is seen over time is of every morning"
    assert current_id(shop) == current
    assert contents(shop) == published
    assert shop.report_file.read_bytes() == report
    latest = instance.get_latest_materialization_event(KEY)
    assert latest is not None and latest.run_id == landed.run_id


def without_tests() -> list[str]:
    """Of dbt, which other tests run; they take as long as the models."""
    return [*build_arguments(), "--exclude-resource-types", "test", "unit_test"]


def figures(result: dg.ExecuteInProcessResult, mart: str) -> dict[str, Any]:
    """The numbers on the materialization of a mart."""
    (event,) = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(["marts", mart])
    ]
    metadata = event.materialization.metadata.items()
    return {
        name: value.value
        for name, value in metadata
        if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue)
        and name != "Execution Duration"
    }


def daily_refresh(instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
    job = defs.resolve_job_def("daily_refresh")
    return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_failing_critical_check_blocks_what_is_downstream_and_is_told_once(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        {**ORDERS[0], "order_id": n, "merchandise_amount": "1,5" if n % 3 else "1.5"}
        for n in range(150)
    ]
    write_csv(shop.landing / "orders.csv", lines)
    with dg.DagsterInstance.ephemeral() as instance:
        result = daily_refresh(instance)
        with webhook() as hook:
            monkeypatch.setenv("REGULARS_ALERT_WEBHOOK", hook.url)
            tell(result, instance, {})
            tell(result, instance, BY_COMMAND_LINE)  # which has told it by itself
    (alert,) = hook.received
    (problem,) = alert["problems"]
    assert problem.startswith(
        "raw.intake__files: most_records_of_a_file_fit: 1 unexpected rows; failing rows in "
    )
    assert alert["look_at"] == f"run {result.run_id} in Dagster"
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


def test_a_run_that_could_not_begin_or_was_killed_is_told(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.ephemeral() as instance, webhook() as hook:
        monkeypatch.setenv("REGULARS_ALERT_WEBHOOK", hook.url)
        with warehouse_lock(shop, "the other"):
            wait = {"resources": {"warehouse": {"config": {"wait_seconds": 0}}}}
            job = defs.resolve_job_def("daily_refresh")
            with pytest.raises(dg.DagsterResourceFunctionError):
                job.execute_in_process(wait, instance=instance)
        (run,) = instance.get_runs()
        tell_of(run, instance)
        run = dg.DagsterRun(job_name="daily_refresh", status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        instance.report_run_failed(run)
        tell_of(run, instance)
    busy, killed = [alert["problems"] for alert in hook.received]
    assert len(busy) == 1 and "is in use by process" in busy[0]
    assert killed == ["its process ended before it was done"]


def tell_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> None:
    (failed,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    context = dg.build_run_status_sensor_context(
        "failed_run", failed.get_dagster_event(), instance, run
    )
    sensors.failed_run(context.for_run_failure())


def test_a_run_that_is_dead_is_known_by_the_warehouse_that_nobody_holds(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "MOMENT_SECONDS", 0.0)
    with dg.DagsterInstance.ephemeral() as instance:
        watcher = launcher.Launcher()
        watcher.register_instance(instance)
        run = dg.DagsterRun(job_name="daily_refresh", status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        with warehouse_lock(shop):
            assert watcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
        assert watcher.check_run_worker_health(run).status == WorkerStatus.FAILED
        instance.report_run_failed(run)
        assert watcher.check_run_worker_health(run).status == WorkerStatus.SUCCESS


@pytest.mark.parametrize("file", ["dagster_home/dagster.yaml", "deploy/dagster-postgres.yaml"])
def test_dagster_runs_one_after_the_other_and_notices_dead_ones(file: str, tmp_path: Path) -> None:
    given = yaml.safe_load((PROJECT_ROOT / file).read_text())
    given.pop("storage", None)
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(given))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.run_launcher, launcher.Launcher)
        assert instance.run_monitoring_enabled
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1


def tell(
    result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance, tags: Mapping[str, str]
) -> None:
    """The sensor of failed runs, as the daemon calls it for this one."""
    context = dg.build_run_status_sensor_context(
        "failed_run",
        result.get_run_failure_event(),
        instance,
        result.dagster_run.with_tags({**result.dagster_run.tags, **tags}),
    )
    sensors.failed_run(context.for_run_failure())


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
    """The sensor as the daemon asks it: with the cursor that it left, a minute after the last."""

    def __init__(self, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.now = 1_760_000_000.0
        self.requested: dg.RunRequest | None = None
        monkeypatch.setattr(sensors.time, "time", lambda: self.now)

    def look(self, after: float = 61) -> str:
        """`run`, or why not."""
        self.now += after
        context = dg.build_sensor_context(self.instance, cursor=self.cursor)
        answer = sensors.landing_folder(context)
        self.cursor = context.cursor
        if isinstance(answer, dg.SkipReason):
            return (answer.skip_message or "").split(";")[0]
        assert isinstance(answer, dg.RunRequest) and answer.run_key is None
        self.requested = answer
        return "run"


@pytest.fixture
def watch(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watch(instance, monkeypatch)


CHANGED = "files have changed"
SETTLING = "files have changed less than a minute ago"
SAME = "nothing has changed in the landing folder"


def test_the_sensor_skips_a_landing_folder_without_files(shop: Settings, watch: Watch) -> None:
    assert "no files in the landing folder" in watch.look()
    shop.landing.rmdir()
    assert "does not exist" in watch.look()


def test_the_sensor_runs_once_when_nothing_has_changed_for_a_minute(
    shop: Settings, watch: Watch
) -> None:
    write_csv(shop.landing / "orders.csv", ORDERS[:3])
    assert [watch.look(), watch.look(30), watch.look(31)] == [CHANGED, SETTLING, "run"]
    assert [watch.look(), watch.look()] == [SAME, SAME]
    write_csv(shop.landing / "refunds.csv", [{"refund_id": 1, "order_id": 1, "amount": 1}])
    assert [watch.look(), watch.look(), watch.look()] == [CHANGED, "run", SAME]


def test_a_slow_copy_that_keeps_an_old_time_is_not_taken_half(shop: Settings, watch: Watch) -> None:
    orders = shop.landing / "orders.csv"
    for part in range(4):
        with orders.open("a") as file:
            file.write(f"line {part}\n")
        os.utime(orders, (1_700_000_000,) * 2)
        assert watch.look() == CHANGED
    assert watch.look() == "run"


def test_the_clock_of_a_file_server_does_not_matter(shop: Settings, watch: Watch) -> None:
    orders = write_csv(shop.landing / "orders.csv", ORDERS)
    os.utime(orders, (watch.now + 1e7,) * 2)
    assert [watch.look(), watch.look()] == [CHANGED, "run"]


def test_the_own_clock_may_be_set_back(shop: Settings, watch: Watch) -> None:
    write_csv(shop.landing / "orders.csv", ORDERS)
    assert [watch.look(), watch.look(-7200), watch.look()] == [CHANGED, CHANGED, "run"]


def test_the_sensor_runs_when_a_file_is_replaced_and_when_it_comes_back(
    shop: Settings, watch: Watch
) -> None:
    orders = write_csv(shop.landing / "orders.csv", ORDERS[:3])
    assert [watch.look(), watch.look()] == [CHANGED, "run"]
    kept = shop.landing.parent / "kept.csv"
    shutil.move(orders, kept)
    write_csv(orders, ORDERS[3:])
    assert [watch.look(), watch.look()] == [CHANGED, "run"]
    shutil.move(kept, orders)
    assert [watch.look(), watch.look()] == [CHANGED, "run"]


def test_the_sensor_does_not_look_at_what_intake_ignores(shop: Settings, watch: Watch) -> None:
    write_csv(shop.landing / "orders.csv", ORDERS)
    assert [watch.look(), watch.look()] == [CHANGED, "run"]
    (shop.landing / "_notes.txt").write_text("mine")
    (shop.landing / ".orders.csv.part").write_text("half a fi")
    assert watch.look() == SAME


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_the_sensor_waits_for_the_run_that_is_under_way(
    shop: Settings, watch: Watch, status: dg.DagsterRunStatus
) -> None:
    write_csv(shop.landing / "orders.csv", ORDERS)
    assert watch.look() == CHANGED
    run = dg.DagsterRun(job_name="daily_refresh", status=status)
    watch.instance.add_run(run)
    assert [watch.look(), watch.look()] == ["waiting for the run that is under way"] * 2
    watch.instance.delete_run(run.run_id)
    assert watch.look() == "run"


def test_the_sensor_asks_for_yesterday_in_the_time_zone_of_the_shop(
    shop: Settings, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGULARS_TIME_ZONE", "Pacific/Kiritimati")
    write_csv(shop.landing / "orders.csv", ORDERS)
    assert [watch.look(), watch.look()] == [CHANGED, "run"]
    assert watch.requested is not None
    yesterday = datetime.now(UTC) + timedelta(hours=14) - timedelta(days=1)
    given = watch.requested.run_config["ops"]["raw_files"]["config"]["as_of"]
    assert given == yesterday.date().isoformat()


# By themselves


@pytest.mark.parametrize(("automatic", "status"), [("false", "STOPPED"), ("true", "RUNNING")])
def test_schedule_and_sensor_are_on_where_the_settings_say_so(
    shop: Settings, monkeypatch: pytest.MonkeyPatch, automatic: str, status: str
) -> None:
    monkeypatch.setenv("REGULARS_AUTOMATIC", automatic)
    schedule = runpy.run_path(str(schedules.__file__))["every_morning"]
    sensor = runpy.run_path(str(sensors.__file__))["landing_folder"]
    assert [schedule.default_status.value, sensor.default_status.value] == [status, status]


def test_every_step_is_tried_again_where_reading_or_writing_fails() -> None:
    job = defs.resolve_job_def("daily_refresh")
    policies = {node.name: node.definition.retry_policy for node in job.nodes}
    assert set(policies.values()) == {RETRY_IO}, policies


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (StorageError("disk"), 3),
        (OSError("disk"), 3),
        (duckdb.IOException("disk"), 3),
        (InputError("no files"), 1),
        (CheckFailed("zeros"), 1),
        (KeyError("a mistake"), 1),
    ],
)
def test_only_reading_and_writing_is_tried_again(error: Exception, tries: int) -> None:
    tried = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
    def step() -> None:
        tried.append(1)
        with retry_only_io():
            raise error

    @dg.job(executor_def=dg.in_process_executor)
    def steps() -> None:
        step()

    assert not steps.execute_in_process(raise_on_error=False).success
    assert len(tried) == tries


def test_the_warehouse_and_every_mart_grow_stale_where_they_are_not_made() -> None:
    graph = defs.resolve_asset_graph()
    keys = {key for key in graph.executable_asset_keys if key.path[0] in ("marts", "published")}
    for key in keys:
        policy = graph.get(key).freshness_policy
        assert isinstance(policy, TimeWindowFreshnessPolicy), key
        windows = policy.warn_window, policy.fail_window
        assert [w and w.to_timedelta() for w in windows] == [
            timedelta(hours=26),
            timedelta(hours=50),
        ]


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


@pytest.mark.long
@pytest.mark.parametrize("files", [0, 1], ids=["empty", "filled"])
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
