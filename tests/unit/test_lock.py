import multiprocessing
import os
import signal
import subprocess
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from dagster_project.lib.errors import BusyError, InputError
from dagster_project.lib.lock import end_left_behind, is_held, warehouse_lock
from dagster_project.lib.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(warehouse=tmp_path / "warehouse")


def _hold(warehouse: Path, pipe: Connection) -> None:
    with warehouse_lock(load_settings(warehouse=warehouse), run_id="run-7"):
        pipe.send("held")
        pipe.recv()


def test_second_run_is_told_who_holds_the_warehouse(settings: Settings) -> None:
    with (
        warehouse_lock(settings, run_id="run-1"),
        pytest.raises(BusyError) as error,
        warehouse_lock(settings),
    ):
        pass
    assert f"process {os.getpid()} (run run-1, since 20" in str(error.value)
    assert "\n" not in str(error.value)
    assert not is_held(settings)
    with warehouse_lock(settings):
        assert settings.lock_file.stat().st_mode & 0o777 == 0o600
        assert is_held(settings)


def test_killed_holder_leaves_no_stale_lock(settings: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    holder = context.Process(target=_hold, args=(settings.warehouse, theirs))
    holder.start()
    assert ours.recv() == "held"
    with pytest.raises(BusyError, match=f"process {holder.pid} "), warehouse_lock(settings):
        pass
    holder.kill()
    holder.join()
    assert "run-7" in settings.lock_file.read_text()
    assert not is_held(settings)
    with warehouse_lock(settings):
        pass


def test_who_waits_gets_the_warehouse_when_it_is_free(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_project.lib.lock.LOOK_AGAIN_SECONDS", 0.05)
    with (
        warehouse_lock(settings, "run-1"),
        pytest.raises(BusyError),
        warehouse_lock(settings, "run-2", wait_seconds=0.1),
    ):
        pass
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    holder = context.Process(target=_hold, args=(settings.warehouse, theirs))
    holder.start()
    assert ours.recv() == "held"
    threading.Timer(0.3, ours.send, ["let go"]).start()
    with warehouse_lock(settings, "run-2", wait_seconds=30):
        assert "run-2" in settings.lock_file.read_text()
    holder.join()


def test_only_the_dbt_that_builds_this_warehouse_is_ended(
    settings: Settings, tmp_path: Path
) -> None:
    """Not that of another warehouse, and no shell that was given the same folder."""
    dbt = tmp_path / "dbt_process.py"
    dbt.write_text("#!/bin/sh\nread line\n")
    dbt.chmod(0o700)
    here, there = settings.build_dir / "dbt", tmp_path / "other" / "build" / "dbt"
    left, of_another, shell = (
        subprocess.Popen(command, env={"DBT_TARGET_PATH": f"{target}/marts"}, stdin=subprocess.PIPE)
        for command, target in (([dbt], here), ([dbt], there), (["/bin/sh", "-c", "read x"], here))
    )
    try:
        deadline = time.monotonic() + 10
        while left.poll() is None and time.monotonic() < deadline:
            end_left_behind(settings)
        assert left.poll() == -signal.SIGKILL
        assert (of_another.poll(), shell.poll()) == (None, None)
    finally:
        for process in (left, of_another, shell):
            process.kill()
            process.communicate()


@pytest.mark.parametrize("content", ["", "not json", "[]", "{}"])
def test_unreadable_holder_is_another_process(settings: Settings, content: str) -> None:
    with warehouse_lock(settings):
        settings.lock_file.write_text(content)
        with pytest.raises(BusyError, match="another process"), warehouse_lock(settings):
            pass


def test_link_and_pipe_are_refused(settings: Settings, tmp_path: Path) -> None:
    settings.warehouse.mkdir()
    target = tmp_path / "target"
    target.write_text("kept")
    settings.lock_file.symlink_to(target)
    with pytest.raises(InputError, match="is a link"), warehouse_lock(settings):
        pass
    assert target.read_text() == "kept"
    settings.lock_file.unlink()
    os.mkfifo(settings.lock_file)
    with pytest.raises(InputError, match="not a regular file"), warehouse_lock(settings):
        pass


def test_an_error_inside_frees_the_lock(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), warehouse_lock(settings):
        raise ZeroDivisionError
    with warehouse_lock(settings):
        pass
