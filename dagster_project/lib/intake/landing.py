"""The landing folder: which files lie in it, and how one is opened without leaving it."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dagster_project.lib.errors import InputError
from dagster_project.lib.intake.connectors import Connector, Entity
from dagster_project.lib.settings import SETTINGS_FILE, Settings

REASON_LIMIT = 1000  # characters


class Held(Exception):
    """A file that is kept out as a whole; the text says why, in one printable line."""

    def __init__(self, reason: str) -> None:
        super().__init__(printable(reason, REASON_LIMIT))


@dataclass(frozen=True)
class Landed:
    """A file in the landing folder. `refused` says why it must not be opened."""

    connector: str | None
    path: str  # relative to the landing folder
    entity: Entity | None
    bytes: int = 0
    modified_ns: int = 0
    identity: tuple[int, int] = (0, 0)
    refused: str | None = None


def find_landed(
    settings: Settings, connectors: Mapping[str, Connector]
) -> tuple[tuple[str, ...], list[Landed]]:
    """The connectors that are on, and every file of theirs in path order.

    Raises InputError where the landing folder or the choice of connectors makes no sense.
    """
    landing, selected = settings.landing, settings.connector_names
    known = f"known connectors: {', '.join(sorted(connectors))}"
    for connector in selected:
        if connector not in connectors:
            raise InputError(f"there is no connector {connector!r}; {known}")
    if landing.is_file():
        raise InputError(f"{landing} is a file; name the folder that it lies in")
    if not landing.is_dir():
        raise InputError(f"the landing folder {landing} does not exist; create it and put files in")
    folders, loose = _entries(landing)
    if not selected:
        for folder in folders:
            if folder not in connectors:
                raise InputError(
                    f"the folder {landing / folder} is named after no connector; {known}"
                )
        selected = tuple(folders)
        if not selected and loose:
            raise InputError(
                f"{landing} holds files but no folder of a connector; say which one they are from "
                f"(--connector) or move them to a folder of its name; {known}"
            )
    flat = len(selected) == 1 and not os.path.lexists(landing / selected[0])
    found: list[Landed] = []
    if flat:
        found += _walk(landing, "", connectors[selected[0]])
    else:
        for connector in selected:
            if connector not in folders:
                raise InputError(
                    f"{landing / connector} is not a folder; put the files of {connector} there"
                )
            found += _walk(landing, f"{connector}/", connectors[connector])
        found += [_landed(landing, path, None, None) for path in loose]
    if not any(file.connector for file in found):
        raise InputError(f"there are no files in the landing folder {landing}; put some in")
    return selected, sorted(found, key=lambda file: file.path)


@contextmanager
def opened(landing: Path, file: Landed) -> Iterator[int]:
    """A descriptor of exactly the file that was found; Held where it is not, or changes."""
    if file.refused:
        raise Held(file.refused)
    folder = os.open(landing, os.O_RDONLY | os.O_DIRECTORY)
    try:
        *parents, last = file.path.split("/")
        for parent in parents:
            inner = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(last, flags, dir_fd=folder)
    except OSError as error:
        raise Held(f"cannot be opened: {error.strerror}") from None
    finally:
        os.close(folder)
    try:
        _check_unchanged(descriptor, file)
        yield descriptor
        _check_unchanged(descriptor, file)
    finally:
        os.close(descriptor)


def printable(text: str, limit: int = 4096) -> str:
    """A text in one line for people: what does not print is escaped, what is too long is cut."""
    shown = "".join(
        mark if mark.isprintable() or mark == "\u00a0" else repr(mark)[1:-1]
        for mark in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown} ..."


def _check_unchanged(descriptor: int, file: Landed) -> None:
    now = os.fstat(descriptor)
    seen = ((now.st_dev, now.st_ino), now.st_size, now.st_mtime_ns, _refusal(now))
    if seen != (file.identity, file.bytes, file.modified_ns, None):
        raise Held("changed while it was being read; the next run takes it up")


def _entries(landing: Path) -> tuple[list[str], list[str]]:
    """Folders and other things directly in the landing folder, by name."""
    with os.scandir(landing) as listing:
        entries = sorted(
            (entry for entry in listing if not _ignored(entry.name)), key=lambda entry: entry.name
        )
    folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return folders, [entry.name for entry in entries if entry.name not in folders]


def _walk(landing: Path, prefix: str, connector: Connector) -> Iterator[Landed]:
    root = landing / prefix
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = [name for name in folders if not _ignored(name) and name not in links]
        for name in (*files, *links):
            if not _ignored(name):
                inside = Path(folder, name).relative_to(root).as_posix()
                yield _landed(landing, prefix + inside, connector.name, connector.entity_of(inside))


def _unreadable(error: OSError) -> None:
    raise InputError(f"the folder {error.filename} cannot be read: {error.strerror}")


def _ignored(name: str) -> bool:
    return name.startswith(("_", ".")) or name == SETTINGS_FILE


def _landed(landing: Path, path: str, connector: str | None, entity: Entity | None) -> Landed:
    printable = os.fsencode(path).decode("utf-8", "backslashreplace")
    try:
        status = os.lstat(landing / path)
    except OSError as error:
        return Landed(connector, printable, entity, refused=f"cannot be read: {error.strerror}")
    return Landed(
        connector,
        printable,
        entity,
        status.st_size,
        status.st_mtime_ns,
        (status.st_dev, status.st_ino),
        _refusal(status) if printable == path else "its name is not valid UTF-8; rename it",
    )


def _refusal(status: os.stat_result) -> str | None:
    if stat.S_ISLNK(status.st_mode):
        return "is a link; put the file itself into the landing folder"
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_nlink > 1:
        return "is a hard link: the same file has another name elsewhere; put a copy here"
    return None
