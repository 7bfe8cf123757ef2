"""What makes the job run besides the clock."""

import hashlib
import time

import dagster as dg

from dagster_project.defs.jobs import daily_refresh
from dagster_project.lib.errors import InputError
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.landing import find_landed
from dagster_project.lib.settings import load_settings

SETTLED_SECONDS = 60


@dg.sensor(
    job=daily_refresh,
    minimum_interval_seconds=60,
    description="Runs when files in the landing folder have changed, once none has for a minute.",
)
def landing_folder(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    try:
        _, landed = find_landed(load_settings(), load_connectors())
    except InputError as error:
        return dg.SkipReason(str(error))
    state = sorted((file.path, file.bytes, file.modified_ns) for file in landed)
    fingerprint = hashlib.sha256(repr(state).encode()).hexdigest()
    if fingerprint == context.cursor:
        return dg.SkipReason("nothing has changed in the landing folder")
    if time.time() - max(file.modified_ns for file in landed) / 1e9 < SETTLED_SECONDS:
        return dg.SkipReason("files are still being written")
    context.update_cursor(fingerprint)
    return dg.RunRequest()  # no run key: a file that comes back is a change too
