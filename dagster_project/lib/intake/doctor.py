"""What lies in a landing folder, found out before anything is loaded."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.landing import Held, Landed, find_landed, opened, printable
from dagster_project.lib.intake.parse import Job
from dagster_project.lib.intake.rules import Context
from dagster_project.lib.intake.sql import engine, literal
from dagster_project.lib.intake.worker import Worker
from dagster_project.lib.settings import Settings


@dataclass(frozen=True)
class Problem:
    """Rows that would be rejected for one reason, with one of them as an example."""

    column: str | None
    reason: str
    rows: int
    example_row: int
    example_line: int | None


@dataclass(frozen=True)
class FileFinding:
    """What a run would make of one file, in the terms of the ledger."""

    file: str
    status: str
    reason: str | None = None
    duplicate_of: str | None = None
    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    records: int = 0
    loaded: int = 0
    rejected: int = 0
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class EntityFindings:
    """The files of one entity, if any; `entity` is None for files that belong to none."""

    connector: str | None
    entity: str | None
    files: tuple[FileFinding, ...]

    @property
    def loaded(self) -> int:
        return sum(file.loaded for file in self.files)

    @property
    def rejected(self) -> int:
        return sum(file.rejected for file in self.files)


def examine(
    settings: Settings, progress: Callable[[str], None] | None = None
) -> list[EntityFindings]:
    """Reads everything in the landing folder as a run would, into a temporary folder.

    Nothing in the warehouse is read or written. Raises InputError as `run_intake` does.
    """
    connectors = load_connectors()
    selected, landed = find_landed(settings, connectors)
    findings: dict[tuple[str | None, str | None], list[FileFinding]] = {
        (connector, entity.name): []
        for connector in selected
        for entity in connectors[connector].entities
    }
    seen: dict[tuple[str | None, str | None, str], FileFinding] = {}
    with tempfile.TemporaryDirectory() as work, Worker() as worker:
        for file in landed:
            if progress:
                progress(f"reading {printable(file.path)} ({file.bytes / 1e6:,.1f} MB)")
            entity = file.entity.name if file.entity else None
            finding = _examine(settings, file, worker, Path(work), seen)
            findings.setdefault((file.connector, entity), []).append(finding)
    return [EntityFindings(*key, tuple(files)) for key, files in findings.items()]


def _examine(
    settings: Settings,
    file: Landed,
    worker: Worker,
    work: Path,
    seen: dict[tuple[str | None, str | None, str], FileFinding],
) -> FileFinding:
    if not file.entity:
        return FileFinding(file.path, "unrecognised", "matches no entity's file pattern")
    now = datetime.now(UTC).replace(tzinfo=None)
    rows, rejects = work / "rows.parquet", work / "rejects.parquet"
    try:
        with opened(settings.landing, file) as descriptor:
            content = worker.content(file, descriptor, work)
            key = (file.connector, file.entity.name, content.sha256)
            if key in seen:
                first = seen[key]
                return FileFinding(
                    file.path, "duplicate", duplicate_of=first.file, records=first.records
                )
            context = Context(settings.time_zone, now)
            parsed = worker.parse(
                Job(file.entity, file.path, content, context, now, "", work, rows, rejects)
            )
    except Held as held:
        return FileFinding(file.path, "held", f"{printable(file.path)} {held}")
    seen[key] = FileFinding(
        file.path,
        "loaded",
        matched=tuple(parsed.match.positions),
        missing=parsed.match.missing,
        ignored=parsed.match.ignored,
        records=parsed.records,
        loaded=parsed.loaded,
        rejected=parsed.rejected,
        problems=_problems(work, rejects) if parsed.rejected else (),
    )
    return seen[key]


def _problems(work: Path, rejects: Path) -> tuple[Problem, ...]:
    with engine(work) as connection:
        grouped = connection.execute(
            "select column_name, split_part(reason, ', not ', 1) as why, count(*), "
            f"min(row_number), arg_min(line, row_number) from read_parquet({literal(rejects)}) "
            "group by all order by count(*) desc, why, column_name"
        ).fetchall()
    return tuple(Problem(*row) for row in grouped)
