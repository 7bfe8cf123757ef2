"""A run that is killed: the published version stays as it was, the next run ends as a clean one.

Times of the kill are random by a fixed seed: so far after the run has said that it began a step.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.publish.generations import current_id
from dagster_project.lib.settings import Settings
from tests.shops import (
    contents,
    environment,
    rebuild,
    rebuild_by_dbt,
    refresh,
    rows,
    settings_of,
    write_csv,
)

AS_OF = date(2025, 12, 31)
# What a run says when it begins a step, and about how long that takes (seconds).
STEPS = {
    "reading": 0.5,
    "checking the raw layer": 2.0,
    "building the contract": 9.0,
    "fitting the models": 0.2,
    "building the marts": 6.0,
    "publishing": 0.6,
}


def orders(first: int, last: int) -> list[dict[str, object]]:
    return [
        {
            "order_id": f"o{number}",
            "customer_id": f"c{number % 37}",
            "ordered_at": f"2025-{number % 12 + 1:02d}-{number % 28 + 1:02d} 08:00:00",
            "merchandise_amount": f"{number % 50 + 1}.50",
        }
        for number in range(first, last)
    ]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A published version of 200 orders."""
    folder = tmp_path_factory.mktemp("published")
    write_csv(folder / "landing" / "orders_1.csv", orders(0, 200))
    given = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    return rebuild(given, as_of=AS_OF)


@pytest.fixture
def shop(published: Settings, tmp_path: Path) -> Settings:
    """That warehouse, and 250 orders that have landed since, 50 of them known."""
    shutil.copytree(published.landing, tmp_path / "landing")
    shutil.copytree(published.warehouse, tmp_path / "warehouse", symlinks=True)
    write_csv(tmp_path / "landing" / "orders_2.csv", orders(150, 400))
    return settings_of(tmp_path / "landing", tmp_path / "warehouse", connectors="files")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What a run that nobody disturbs ends at."""
    folder = tmp_path_factory.mktemp("clean")
    write_csv(folder / "landing" / "orders_1.csv", orders(0, 200))
    write_csv(folder / "landing" / "orders_2.csv", orders(150, 400))
    given = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    return contents(rebuild(given, as_of=AS_OF))


@contextmanager
def running(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """`regulars run`; whatever it has started ends with the test."""
    given = ["--landing", settings.landing, "--warehouse", settings.warehouse]
    command = [sys.executable, "-m", "dagster_project.cli", "run", "--connector", "files"]
    process = subprocess.Popen(
        [*command, "--as-of", AS_OF.isoformat(), *map(str, given)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for child in [process.pid, *children(process.pid)]:
            with_signal(child, signal.SIGKILL)
        process.communicate()


def with_signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended since
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def wait_for(process: subprocess.Popen[str], step: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if step in line:
            return
    raise AssertionError(f"the run ended before {step!r}")


def kill(settings: Settings, step: str, seconds: float) -> None:
    """Kills a run so long after it has begun a step; what it has started is left to itself."""
    with running(settings) as process:
        wait_for(process, step)
        time.sleep(seconds)
        with_signal(process.pid, signal.SIGKILL)
        process.wait()


def check_untouched(settings: Settings, before: tuple[str | None, Any]) -> None:
    assert (current_id(settings), contents(settings)) == before


def check_recovered(settings: Settings, clean: dict[str, list[str]]) -> None:
    assert contents(settings) == clean
    assert not (settings.build_dir / "tmp").exists()
    hidden = [
        path for root in (settings.raw_dir, settings.published_dir) for path in root.rglob(".*")
    ]
    assert hidden == []
    ledger = "select file, status, loaded from fct_intake_files order by file"
    assert rows(settings, ledger) == [
        ("orders_1.csv", "loaded", 200),
        ("orders_2.csv", "loaded", 250),
    ]
    raw = settings.raw_dir / "files" / "orders"
    assert len([path for path in raw.iterdir() if path.name != "empty.parquet"]) == 2
    generations = [path.name for path in (settings.published_dir / "generations").iterdir()]
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", name) for name in generations)


def test_a_killed_run_leaves_what_was_published_and_the_next_makes_it_good(
    shop: Settings, clean: dict[str, list[str]]
) -> None:
    """At once, while the dbt that it had started may still be writing; a reader has the published
    version open all the time."""
    before, step = (current_id(shop), contents(shop)), "building the contract"
    with reader(shop) as question:
        kill(shop, step, random.Random(step).uniform(0, STEPS[step]))
        check_untouched(shop, before)
        assert question() == "200"
        rebuild_by_dbt(shop, as_of=AS_OF)
        assert question() == "200"
    check_recovered(shop, clean)


def test_a_run_waits_for_the_dbt_that_a_killed_one_has_left_behind(
    shop: Settings, clean: dict[str, list[str]]
) -> None:
    """It may write to the build for as long as its models take; here for some seconds."""
    script = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print(flush=True)"
    left = subprocess.Popen(
        [sys.executable, "-c", f"{script}; time.sleep(5)", str(shop.build_file)],
        stdout=subprocess.PIPE,
    )
    try:
        assert left.stdout is not None and left.stdout.readline() == b"\n"
        rebuild_by_dbt(shop, as_of=AS_OF, marts=["fct_orders", "fct_retention_cohorts"])
    finally:
        left.kill()
        left.communicate()
    found = contents(shop)
    for mart in ("fct_orders", "fct_retention_cohorts"):
        assert found[mart] == clean[mart]


@contextmanager
def reader(settings: Settings) -> Iterator[Any]:
    """Another process that keeps the version open which is current now; each call asks it anew."""
    script = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1], read_only=True)\n"
        "for _ in sys.stdin:\n"
        "    print(*connection.sql('select count(*) from marts.fct_orders').fetchone(), flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(settings.published_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None

    def question() -> str:
        process.stdin.write("?\n")
        process.stdin.flush()
        return str(process.stdout.readline().strip())

    try:
        assert question() == "200"
        yield question
    finally:
        process.communicate()


def test_a_killed_dbt_fails_the_run_and_leaves_what_was_published(shop: Settings) -> None:
    before = (current_id(shop), contents(shop))
    with running(shop) as process:
        wait_for(process, "building the contract")
        deadline = time.monotonic() + 30
        while not (found := dbt_of(process.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1.5)
        for child in found:
            with_signal(child, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
    line = errors.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert "dbt" in line
    assert "Traceback" not in errors
    check_untouched(shop, before)


def dbt_of(pid: int) -> list[int]:
    found = []
    for child in children(pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"build" in command:
            found.append(child)
    return found


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("step", STEPS)
def test_a_run_killed_at_any_time_is_made_good_by_the_next(
    shop: Settings, clean: dict[str, list[str]], step: str, seed: int
) -> None:
    before = (current_id(shop), contents(shop))
    kill(shop, step, random.Random(f"{step} {seed}").uniform(0, STEPS[step]))
    if current_id(shop) == before[0]:
        check_untouched(shop, before)
    else:  # it had just published
        assert contents(shop) == clean
    recover(shop)
    check_recovered(shop, clean)


@pytest.mark.long
def test_a_recovery_that_is_killed_too_is_made_good_by_the_next(
    shop: Settings, clean: dict[str, list[str]]
) -> None:
    before = (current_id(shop), contents(shop))
    for step in ("reading", "building the contract", "building the marts", "checking the raw"):
        kill(shop, step, 1)
        check_untouched(shop, before)
    recover(shop)
    check_recovered(shop, clean)


def recover(settings: Settings) -> None:
    given = ("--connector", "files", "--as-of", AS_OF)
    refresh(settings.landing, settings.warehouse, *given)
