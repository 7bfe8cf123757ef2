"""The report as a file, complete or not there at all."""

import os
from contextlib import ExitStack, suppress
from pathlib import Path

from dagster_project.lib.errors import InputError, StorageError
from dagster_project.lib.report.page import page
from dagster_project.lib.report.snapshot import Snapshot, previous
from dagster_project.lib.settings import Settings


def write_report(settings: Settings, output: Path | None = None) -> Path:
    """Write the report on the current published version; returns where it is.

    Raises InputError where nothing is published or the file that was asked for cannot be written,
    StorageError where its usual place cannot be; what stood there before then stays.
    """
    file = output or settings.report_file
    with ExitStack() as stack:
        snapshot = stack.enter_context(Snapshot(settings))
        before = previous(settings, snapshot.generation)
        text = page(snapshot, stack.enter_context(before) if before else None)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)  # readable like what is published, whatever the umask
        os.replace(temporary, file)
    except OSError as error:
        kind = InputError if output else StorageError
        raise kind(f"cannot write {file}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return file
