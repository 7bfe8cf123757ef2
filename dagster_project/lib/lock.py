"""One writer per warehouse."""

import fcntl
import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.lib.dbt import DBT_PROGRAM
from dagster_project.lib.errors import BusyError, InputError, RegularsError
from dagster_project.lib.progress import say
from dagster_project.lib.settings import Settings

LOOK_AGAIN_SECONDS = 1.0


@contextmanager
def warehouse_lock(settings: Settings, run_id: str = "", wait_seconds: float = 0) -> Iterator[None]:
    """Hold the warehouse for one run, a rollback or an erasure; not re-entrant.

    Where somebody holds it, waits for so long. The kernel frees the lock when its holder ends,
    however it ends, so there is no stale one; the file stays and only says who holds it. Raises
    BusyError where somebody still does, InputError where the lock file is a link or no file,
    RegularsError where it cannot be opened.
    """
    path = settings.lock_file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if path.is_symlink():
            raise InputError(f"{path} is a link; remove it, the lock must be a file") from None
        raise RegularsError(f"{path}: cannot open the lock file: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(f"{path} is not a regular file; remove it")
        try:
            _take(descriptor, settings, wait_seconds)
        except OSError as error:
            raise RegularsError(f"{path}: cannot be locked: {error.strerror}") from None
        _describe(descriptor, run_id)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, settings: Settings, wait_seconds: float) -> None:
    give_up_at = time.monotonic() + wait_seconds
    is_said = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            busy = _busy_message(settings, os.pread(descriptor, 1000, 0))
            if time.monotonic() >= give_up_at:
                raise BusyError(busy) from None
        if not is_said:
            say(f"waiting: {busy}")
            is_said = True
        time.sleep(LOOK_AGAIN_SECONDS)


def is_held(settings: Settings) -> bool:
    """Whether somebody holds the warehouse at this moment."""
    try:
        descriptor = os.open(settings.lock_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def end_left_behind(settings: Settings) -> None:
    """Ends the dbt that a killed run has left behind, which would go on writing to the build.

    For the holder of the lock: whatever else builds this warehouse belongs to nobody. Known where
    the system has /proc; elsewhere dbt waits for another dbt to end (dbt/profiles.yml).
    """
    target = f"DBT_TARGET_PATH={settings.build_dir}/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            command = (process / "cmdline").read_bytes().split(b"\0")
            variables = (process / "environ").read_bytes().split(b"\0")
            is_dbt = any(part.endswith(DBT_PROGRAM.name.encode()) for part in command)
            if is_dbt and any(variable.startswith(target) for variable in variables):
                os.kill(int(process.name), signal.SIGKILL)


def _describe(descriptor: int, run_id: str) -> None:
    started_at = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    holder = {"pid": os.getpid(), "run_id": run_id, "started_at": started_at}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _busy_message(settings: Settings, content: bytes) -> str:
    try:
        holder = json.loads(content)
        run = f"run {holder['run_id']}, " if holder["run_id"] else ""
        who = f"process {holder['pid']} ({run}since {holder['started_at']})"
    except (ValueError, TypeError, KeyError):
        who = "another process"  # between taking the lock and writing its name
    return f"{settings.warehouse} is in use by {who}; wait for it to end or stop it, then retry"
