"""Generations of the published warehouse, and the one link that says which is current.

    published/current -> generations/20261122T091500Z-0000
    published/as_of/2026-10-31 -> ../generations/20261122T091700Z-0000
    published/generations/20261122T091500Z-0000/warehouse.duckdb, manifest.json

Links of the folder as_of are versions built for a past date, beside the current one and kept until
they are built anew.

A generation is written under a hidden name, proven, made durable, renamed, and only then linked;
what is linked is never written again. So a reader finds the old version or the new one, whenever a
run stops.
`publish` and `rollback` expect their caller to hold `warehouse_lock`.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.lib.errors import CheckFailed, InputError, RegularsError, StorageError
from dagster_project.lib.publish.candidate import (
    Table,
    TableDescription,
    one_line,
    verify_candidate,
    write_candidate,
)
from dagster_project.lib.publish.previous import rules_hash
from dagster_project.lib.settings import WAREHOUSE_FILE, Settings

MANIFEST = "manifest.json"
ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")


@dataclass(frozen=True)
class Generation:
    """A published version that is still kept."""

    id: str
    published_at: datetime
    as_of: date
    is_current: bool
    is_dated: bool = False  # one of the folder as_of


@dataclass(frozen=True)
class Publication:
    """What `publish` did; `rows` by table name, `removed` the generations that were let go."""

    generation: str
    file: Path
    run_id: str
    as_of: date
    published_at: datetime
    rows: dict[str, int]
    removed: tuple[str, ...]


def publish(
    settings: Settings,
    *,
    run_id: str,
    as_of: date,
    descriptions: Mapping[str, TableDescription] | None = None,
    progress: Callable[[str], None] | None = None,
    make_current: bool = True,
) -> Publication:
    """Publish the marts of the build as a new generation and make it current, or that of its date.

    Raises CheckFailed where the copy is not equal to the build, RegularsError where files cannot be
    written; the version published before then stays, and nothing is left of the new one.
    """
    report = progress or (lambda message: None)
    folder = _generations_dir(settings)
    link = settings.published_link(None if make_current else as_of)
    published_at = datetime.now(UTC).replace(microsecond=0)
    generation = _next_id(_ids(settings), published_at)
    building, final = folder / f".building-{generation}", folder / generation
    try:
        _make_folders(settings, link)
        before = current_id(settings)
        building.mkdir()
        tables = write_candidate(
            settings,
            building / WAREHOUSE_FILE,
            generation=generation,
            run_id=run_id,
            as_of=as_of,
            published_at=published_at,
            rules_hash=rules_hash(settings),
            descriptions=descriptions or {},
            progress=report,
        )
        report("verifying the copy")
        verify_candidate(building / WAREHOUSE_FILE, generation, tables)
        manifest = {
            "generation": generation,
            "run_id": run_id,
            "as_of": as_of.isoformat(),
            "published_at": published_at.isoformat(),
            "replaces": before if make_current else None,
            "sha256": _sha256(building / WAREHOUSE_FILE),
            "tables": _summary(tables),
        }
        (building / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        _seal(building)
        os.rename(building, final)
        _sync(folder)
        _point_to(link, folder / generation)
    except BaseException as error:
        if _pointed_to(link) == generation:
            state = f"generation {generation} is current, but may not survive a power cut"
        else:
            state = "the version published before stays"
            _remove(building)
            _remove(final)
        if isinstance(error, CheckFailed):
            raise CheckFailed(f"not published: {error}; {state}") from None
        if isinstance(error, OSError | duckdb.Error):
            is_passing = isinstance(error, OSError | duckdb.IOException)
            kind = StorageError if is_passing else RegularsError
            raise kind(f"cannot publish: {_reason(error)}; {state}") from None
        raise
    removed = _let_go(settings, before) if make_current else ()
    return Publication(
        generation,
        final / WAREHOUSE_FILE,
        run_id,
        as_of,
        published_at,
        {name: table.rows for name, table in tables.items()},
        removed,
    )


def generations(settings: Settings) -> list[Generation]:
    """What is kept, oldest first; a folder without a readable manifest is none of ours."""
    current, dated = current_id(settings), _dated(settings)
    found = []
    for generation in _ids(settings):
        if manifest := _manifest(settings, generation):
            published_at = datetime.fromisoformat(manifest["published_at"])
            as_of = date.fromisoformat(manifest["as_of"])
            is_current, is_dated = generation == current, generation in dated
            found.append(Generation(generation, published_at, as_of, is_current, is_dated))
    return found


def rollback(settings: Settings, to: str | None = None) -> Generation:
    """Make an older generation current: the one that the current one replaced, or the one named.

    Raises InputError where it is not kept, CheckFailed where its file is not as it was published.
    """
    kept = {generation.id: generation for generation in generations(settings)}
    current = current_id(settings)
    target = to or _before(settings, current, [id for id, old in kept.items() if not old.is_dated])
    if target not in kept:
        wanted = f"generation {to} is not kept" if to else "there is no generation to go back to"
        listed = ", ".join(
            f"{item.id} (as of {item.as_of}{', current' if item.is_current else ''})"
            for item in kept.values()
        )
        raise InputError(f"{wanted}; kept: {listed or 'none, nothing was published yet'}")
    manifest = _manifest(settings, target)
    file = _generations_dir(settings) / target / WAREHOUSE_FILE
    try:
        if _sha256(file) != manifest["sha256"]:
            raise CheckFailed(f"{file} is not as it was published; choose another generation")
        _point_to(settings.published_link(), _generations_dir(settings) / target)
    except OSError as error:
        raise RegularsError(f"cannot go back to {target}: {_reason(error)}") from None
    return Generation(target, kept[target].published_at, kept[target].as_of, True)


def current_id(settings: Settings) -> str | None:
    """The generation that `published/current` points to, if there is one."""
    return _pointed_to(settings.published_link())


def _pointed_to(link: Path) -> str | None:
    try:
        return Path(os.readlink(link)).name
    except OSError:
        return None


def replaced_file(settings: Settings, generation: str) -> Path | None:
    """The warehouse that this generation replaced, if it is kept."""
    undated = [item.id for item in generations(settings) if not item.is_dated]
    before = _before(settings, generation, undated)
    return _generations_dir(settings) / before / WAREHOUSE_FILE if before else None


def _dated(settings: Settings) -> set[str]:
    folder = settings.published_dir / "as_of"
    links = folder.iterdir() if folder.is_dir() else ()
    return {name for link in links if (name := _pointed_to(link))}


def _generations_dir(settings: Settings) -> Path:
    return settings.published_dir / "generations"


def _ids(settings: Settings) -> list[str]:
    """Complete generations, oldest first."""
    folder = _generations_dir(settings)
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(name for name in names if ID.fullmatch(name))


def _next_id(ids: list[str], now: datetime) -> str:
    """Later than every other, also within one second and after the clock was set back."""
    stamp, number = now.strftime("%Y%m%dT%H%M%SZ"), 0
    if ids and ids[-1] >= stamp:
        stamp, _, last = ids[-1].partition("-")
        number = int(last, 16) + 1
    return f"{stamp}-{number:04x}"


def _let_go(settings: Settings, before: str | None) -> tuple[str, ...]:
    """Removes what is no longer kept: of those of no date all but some, of a date all but one."""
    ids, dated, current = _ids(settings), _dated(settings), current_id(settings)
    undated = [old for old in ids if old not in dated]
    kept = {*_kept(undated, str(current), before, settings.keep_generations), *dated}
    folder = _generations_dir(settings)
    return tuple(old for old in ids if old not in kept and _remove(folder / old))


def _kept(ids: list[str], current: str, before: str | None, keep: int) -> list[str]:
    """The current one, then the one to go back to, then the newest."""
    newest_first = [old for old in reversed(ids) if old not in (current, before)]
    return [current, *([before] if before in ids else []), *newest_first][:keep]


def _before(settings: Settings, current: str | None, ids: list[str]) -> str | None:
    """What `current` replaced, so that a generation once rolled back is not returned to."""
    if current is None:
        return None
    replaced = _manifest(settings, current).get("replaces")
    older = [old for old in ids if old < current]
    return replaced if replaced in ids else max(older, default=None)


def _manifest(settings: Settings, generation: str) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads((_generations_dir(settings) / generation / MANIFEST).read_text())
        return dict(content)
    return {}


def _summary(tables: Mapping[str, Table]) -> dict[str, dict[str, int | str]]:
    return {name: {"rows": item.rows, "hash": item.content_hash} for name, item in tables.items()}


def _make_folders(settings: Settings, link: Path) -> None:
    """Readable by everyone whatever the umask, and cleared of what a killed run left."""
    for folder in dict.fromkeys((settings.published_dir, _generations_dir(settings), link.parent)):
        if not folder.is_dir():
            folder.mkdir(parents=True)
            folder.chmod(0o755)
            _sync(folder.parent)
        for leftover in folder.glob(".*"):
            _remove(leftover)


def _seal(folder: Path) -> None:
    """Everything on the disk, nothing writable."""
    for file in folder.iterdir():
        file.chmod(0o444)
        _sync(file)
    folder.chmod(0o555)
    _sync(folder)


def _point_to(link: Path, generation: Path) -> None:
    new = link.with_name(f".{link.name}-{generation.name}")
    new.unlink(missing_ok=True)
    new.symlink_to(os.path.relpath(generation, link.parent))
    os.replace(new, link)
    _sync(link.parent)


def _remove(path: Path) -> bool:
    """Remove a folder or link; hidden first, so that half a generation never counts as one.

    What cannot be removed now is tried again by the next publication.
    """
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return True
        hidden = path
        if not path.name.startswith("."):
            hidden = path.with_name(f".removing-{path.name}")
            os.rename(path, hidden)
        hidden.chmod(0o755)
        shutil.rmtree(hidden)
        return True
    return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: OSError | duckdb.Error) -> str:
    if isinstance(error, OSError):
        file = error.filename2 or error.filename
        return f"{error.strerror or error}" + (f": {file}" if file else "")
    return one_line(error)
