"""When the job runs by itself."""

from datetime import timedelta

import dagster as dg

from dagster_project.defs.jobs import daily_refresh, run_config
from dagster_project.lib.settings import load_settings

SETTINGS = load_settings()


@dg.schedule(
    job=daily_refresh,
    cron_schedule="0 5 * * *",
    execution_timezone=SETTINGS.time_zone,
    default_status=dg.DefaultScheduleStatus.RUNNING
    if SETTINGS.automatic
    else dg.DefaultScheduleStatus.STOPPED,
    description="Every morning at five in the shop's time zone, as of the day before.",
)
def every_morning(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    as_of = context.scheduled_execution_time.date() - timedelta(days=1)
    return dg.RunRequest(run_key=as_of.isoformat(), run_config=run_config(as_of))
