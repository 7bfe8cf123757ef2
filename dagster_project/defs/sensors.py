"""What happens besides the clock: files have landed, a run has failed."""

import hashlib
import json
import time

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster_shared.error import SerializableErrorInfo

from dagster_project.defs.jobs import BY_COMMAND_LINE, daily_refresh, run_config
from dagster_project.lib.alerts import alert
from dagster_project.lib.dates import yesterday
from dagster_project.lib.errors import InputError
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.landing import Landed, find_landed
from dagster_project.lib.settings import load_settings

SETTLED_SECONDS = 60
UNDER_WAY = [dg.DagsterRunStatus.QUEUED, *IN_PROGRESS_RUN_STATUSES]


@dg.sensor(
    job=daily_refresh,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING
    if load_settings().automatic
    else dg.DefaultSensorStatus.STOPPED,
    description="Runs as of yesterday when files in the landing folder have changed, once nothing"
    " about them has for a minute.",
)
def landing_folder(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    settings = load_settings()
    try:
        _, landed = find_landed(settings, load_connectors())
    except InputError as error:
        return dg.SkipReason(str(error))
    now, state = time.time(), _fingerprint(landed)
    seen = json.loads(context.cursor or "{}")
    if state == seen.get("ran_with"):
        return dg.SkipReason("nothing has changed in the landing folder")
    # By looks at sizes and times, not by the age of a file: a copy may keep the time of what it is
    # copied from, and the clock of a file server may be another one.
    if state != seen.get("state") or not seen["since"] <= now:
        context.update_cursor(json.dumps({**seen, "state": state, "since": now}))
        return dg.SkipReason("files have changed; waiting until they do not for a minute")
    if now - seen["since"] < SETTLED_SECONDS:
        return dg.SkipReason("files have changed less than a minute ago")
    if context.instance.get_runs_count(dg.RunsFilter(statuses=UNDER_WAY)):
        return dg.SkipReason("waiting for the run that is under way")
    context.update_cursor(json.dumps({"ran_with": state}))
    as_of = yesterday(settings.time_zone)
    return dg.RunRequest(run_config=run_config(as_of))  # without a key: a file may come back


def _fingerprint(landed: list[Landed]) -> str:
    state = sorted((file.path, file.bytes, file.modified_ns, file.identity) for file in landed)
    return hashlib.sha256(repr(state).encode()).hexdigest()


@dg.run_failure_sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends one alert for each failed run, where a webhook or an address is set.",
)
def failed_run(context: dg.RunFailureSensorContext) -> None:
    run = context.dagster_run
    if BY_COMMAND_LINE.items() <= run.tags.items():
        return
    reasons = [_reason(event) for event in context.get_step_failure_events()]
    if not reasons and (failure := context.failure_event.job_failure_data):
        reasons = [_root(failure.error)]
    error = "\n".join(filter(None, reasons)) or "its process ended before it was done"
    alert(load_settings(), error, look_at=f"run {run.run_id} in Dagster")


def _reason(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    return _root(failure.error)


def _root(error: SerializableErrorInfo | None) -> str:
    while error and error.cause:
        error = error.cause
    if error is None or error.cls_name == DagsterExecutionInterruptedError.__name__:
        return ""
    return error.message.strip()
