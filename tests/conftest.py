"""Warehouses that tests share; each is built once and only read."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from dagster_project.lib.dbt import prepare_manifest
from dagster_project.lib.demo.shop import write_shop
from dagster_project.lib.intake.worker import Worker
from tests.postgres import running_server
from tests.shops import REAL_DATA, KeptWorker, rebuild, refresh, settings_of

SHARING = (
    "tests/reference/",
    "tests/definitions/test_advocacy.py",
    "tests/definitions/test_audiences.py",
    "tests/definitions/test_category_affinities.py",
    "tests/definitions/test_cross_sell.py",
    "tests/definitions/test_demo_marts.py",
    "tests/definitions/test_entities.py",
    "tests/definitions/test_experience_marts.py",
    "tests/definitions/test_health.py",
    "tests/definitions/test_identity.py",
    "tests/definitions/test_lapse_thresholds.py",
    "tests/definitions/test_lifecycle_marts.py",
    "tests/definitions/test_ltv_marts.py",
    "tests/definitions/test_metrics.py",
    "tests/definitions/test_planted.py",
    "tests/definitions/test_preferences.py",
    "tests/definitions/test_questions.py",
    "tests/definitions/test_repeat_rates.py",
    "tests/integration/test_every_expectation_fails_once.py",
    "tests/integration/test_plans.py",
    "tests/integration/test_report.py",
    "tests/integration/test_reruns.py::test_a_second_run_changes_nothing_but_the_generation",
    "tests/integration/test_reruns.py::test_build_and_log_are_for_their_owner_only",
)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # one process parses the dbt project for all
        prepare_manifest()
    elif not hasattr(sys.modules["__main__"], "__file__"):
        sys.modules["__main__"].__file__ = __file__  # PySpark takes a process without for doctests


class SharedWarehouses(LoadScopeScheduling):
    """The tests of a file run in one process, and so do those that read the same warehouses."""

    def _split_scope(self, nodeid: str) -> str:
        return "shared" if nodeid.startswith(SHARING) else nodeid.split("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharedWarehouses:
    config.option.loadscopereorder = False  # the short tests of tests/unit come last and fill gaps
    return SharedWarehouses(config, log)


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not REAL_DATA:
        pytest.skip("REGULARS_REAL_DATA names no folder with the public data sets")
    return Path(REAL_DATA)


@pytest.fixture(scope="session")
def kept_worker() -> Iterator[Worker]:
    worker = KeptWorker()
    yield worker
    worker.stop()


@pytest.fixture(scope="session")
def demo_landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic shop of 1,500 customers and three years, with the truth about it in _truth."""
    landing = tmp_path_factory.mktemp("demo") / "landing"
    write_shop(landing, customers=1500, seed=11)
    return landing


@pytest.fixture(scope="session")
def demo(demo_landing: Path) -> Path:
    """The warehouse of that shop, by the command line."""
    warehouse = demo_landing.parent / "warehouse"
    refresh(demo_landing, warehouse)
    return warehouse


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server that runs for the tests of this process."""
    with running_server(tmp_path_factory.mktemp("postgres") / "data") as url:
        yield url


def built(folder: Path, landing: Path, **given: object) -> Path:
    """A warehouse in a new folder, by the models alone: tests/reference runs the checks on it."""
    return rebuild(settings_of(landing, folder, connectors=landing.name, **given)).warehouse


@pytest.fixture(scope="session")
def olist(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("olist"), real_data / "olist")


@pytest.fixture(scope="session")
def cdnow(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Orders of value 0 count and forecasts are for 39 weeks, as in the published figures."""
    given = {"count_zero_value_orders": True, "ltv_backtest_days": 273}
    return built(tmp_path_factory.mktemp("cdnow"), real_data / "cdnow", **given)


@pytest.fixture(scope="session")
def online_retail(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("online_retail"), real_data / "online_retail")
