"""How Dagster starts runs, and how it knows of one that it has died."""

import time
from typing import Any

from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.dagster_run import DagsterRun

from dagster_project.lib.lock import is_held
from dagster_project.lib.settings import load_settings

MOMENT_SECONDS = 30.0  # between the start of a run and its lock, or its lock and its end


class Launcher(DefaultRunLauncher):
    """Dagster's own does not notice when a run dies together with the daemon: after a power cut
    it would count as under way for good, and no other run would start.

    Whoever is under way holds the warehouse, or waits for the one who does.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        settings = load_settings()
        give_up_at = time.monotonic() + MOMENT_SECONDS
        while not is_held(settings):
            record: Any = self._instance.get_run_record_by_id(run.run_id)
            if record is None or record.dagster_run.is_finished:
                return CheckRunHealthResult(WorkerStatus.SUCCESS)
            if time.monotonic() >= give_up_at:
                return CheckRunHealthResult(WorkerStatus.FAILED, "its process has ended")
            time.sleep(1)
        return CheckRunHealthResult(WorkerStatus.RUNNING)
