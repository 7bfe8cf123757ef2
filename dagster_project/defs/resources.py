"""What the assets share: the warehouse, held by one run at a time, and dbt."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version as installed_version
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DbtCliResource
from packaging.version import Version, parse
from pydantic import PrivateAttr

from dagster_project.defs.dbt.project import dbt_project
from dagster_project.lib.dbt import DBT_PROGRAM, PARSED_FILE
from dagster_project.lib.errors import RegularsError, StorageError, Unreachable
from dagster_project.lib.figures import TellingFigure
from dagster_project.lib.lock import warehouse_lock
from dagster_project.lib.settings import Settings, load_settings


class Warehouse(dg.ConfigurableResource[Any]):
    """The settings of the shop, and the sole right to write to its warehouse until the run ends.

    Where the command line holds it, a run of Dagster waits, as it does for another run.
    """

    wait_seconds: float = 3600

    _settings: Settings = PrivateAttr()

    @property
    def settings(self) -> Settings:
        return self._settings

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Any]:
        self._settings = load_settings()
        run_id = context.run.run_id if context.run else ""
        with warehouse_lock(self._settings, run_id, self.wait_seconds):
            yield self


class Dbt(DbtCliResource):
    """dbt, without two things that take seconds: a call that only asks for its version, and an
    adapter in this process, by which Dagster would count rows if it was asked to."""

    @cached_property
    def _cli_version(self) -> Version:
        return parse(installed_version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None


RETRY_IO = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def retry_only_io() -> Iterator[None]:
    """What else than reading and writing fails is final: trying again would only say it again."""
    try:
        yield
    except (StorageError, Unreachable, OSError, duckdb.IOException):
        raise
    except RegularsError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    except Exception as error:
        described = f"{type(error).__name__}: {error}"
        raise dg.Failure(description=described, allow_retries=False) from error


def figure_metadata(figure: TellingFigure) -> dict[str, float]:
    value = {} if figure.value is None else {figure.name: figure.value}
    return {"dagster/row_count": figure.rows, **value}


RESOURCES: dict[str, object] = {
    "warehouse": Warehouse(),
    "dbt": Dbt(
        project_dir=str(dbt_project.project_dir),
        profiles_dir=str(dbt_project.profiles_dir),
        dbt_executable=sys.executable,
        global_config_flags=["-P", str(DBT_PROGRAM), str(PARSED_FILE)],
    ),
}
