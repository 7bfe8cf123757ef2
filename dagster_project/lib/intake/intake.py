"""The intake run: landed files to raw Parquet, ledger and rejects; nothing is lost or half-loaded.

Everything is read into a private folder first. Then it is put in place, the ledger last, and what
the ledger no longer names is removed; a run killed at any point is completed by the next one.
"""

import hmac
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from dagster_project.lib.activation.contacts import CONTACT_COLUMNS
from dagster_project.lib.errors import InputError, StorageError
from dagster_project.lib.intake.connectors import Connector, Entity, load_connectors
from dagster_project.lib.intake.content import Content
from dagster_project.lib.intake.landing import Held, Landed, find_landed, opened, printable
from dagster_project.lib.intake.ledger import (
    CHECK_COLUMNS,
    PREVIOUS_COLUMNS,
    SETTINGS_COLUMNS,
    LedgerRow,
    private_folder,
    put,
    read_ledger,
    write_empty,
    write_ledger,
    write_table,
)
from dagster_project.lib.intake.parse import REJECTED_COLUMNS, Job
from dagster_project.lib.intake.placeholders import write_placeholders
from dagster_project.lib.intake.rules import Context, hash_of, raw_value
from dagster_project.lib.intake.sql import engine, literal, name
from dagster_project.lib.intake.worker import Worker
from dagster_project.lib.lock import end_left_behind
from dagster_project.lib.ltv.tables import LTV_COLUMNS
from dagster_project.lib.settings import Settings

CARRIED = "~"  # ends the spec_hash of rows that were carried over from an earlier description
CARRIED_NOTE = "typed by an earlier description; put the file back to have it read anew"


@dataclass(frozen=True)
class EntityTotals:
    connector: str
    entity: str
    loaded: int
    rejected: int


@dataclass(frozen=True)
class IntakeReport:
    """What a run took in: the ledger rows of the connectors that are on, and totals by entity."""

    files: tuple[LedgerRow, ...]
    entities: tuple[EntityTotals, ...]

    @property
    def held(self) -> tuple[LedgerRow, ...]:
        return tuple(row for row in self.files if row.status == "held")


@dataclass(frozen=True)
class Brought:
    """A content that is in raw, or about to be: `file` is the name it was loaded under.

    `carried` over: typed by an earlier description, its file being gone or held since.
    """

    file: str
    records: int
    loaded: int
    rejected: int
    note: str | None
    arrived_at: datetime
    carried: bool = False


Key = tuple[str, str, str]  # connector, entity, sha256


def run_intake(
    settings: Settings,
    *,
    as_of: date | None,
    run_id: str,
    progress: Callable[[str], None] | None = None,
) -> IntakeReport:
    """Takes in what lies in the landing folder. The caller holds the warehouse's lock.

    Raises InputError where the landing folder or the choice of connectors makes no sense; a file
    that cannot be taken in is held, the reason in its ledger row, and stops nothing else.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    connectors = load_connectors()
    ledger_file = settings.raw_dir / "intake" / "files" / "files.parquet"
    _prepare(settings, connectors, as_of, run_id, now)
    before = read_ledger(ledger_file)
    if not ledger_file.exists():
        write_ledger(ledger_file, before)
    selected, landed = find_landed(settings, connectors)
    _check_one_shop(settings, selected, before)
    known = {(row.connector, row.file): row for row in before}
    worker = Worker()
    run = _Run(settings, connectors, now, known, progress or (lambda message: None), worker)
    try:
        with worker:
            for file in landed:
                run.take(file)
        if run.unchanged:
            run.say(f"files that have not changed: {run.unchanged}")
        run.settle()
        run.commit(ledger_file)
    except OSError as error:
        raise StorageError(
            f"cannot write to the warehouse {settings.warehouse}: {error}"
        ) from error
    rows = tuple(row for row in run.rows.values() if row.connector in (*selected, None))
    totals = []
    for connector in selected:
        for entity in connectors[connector].entities:
            own = [row for row in rows if (row.connector, row.entity) == (connector, entity.name)]
            loaded, rejected = sum(row.loaded for row in own), sum(row.rejected for row in own)
            totals.append(EntityTotals(connector, entity.name, loaded, rejected))
    return IntakeReport(rows, tuple(totals))


@dataclass
class _Run:
    settings: Settings
    connectors: Mapping[str, Connector]
    now: datetime
    rows: dict[tuple[str | None, str], LedgerRow]
    say: Callable[[str], None]
    worker: Worker
    unchanged: int = 0
    past: dict[Key, Brought] = field(default_factory=dict)  # as the last run left it
    brought: dict[Key, Brought] = field(default_factory=dict)  # in the present shape
    staged: dict[Path, Path] = field(default_factory=dict)  # where it goes -> where it lies

    def __post_init__(self) -> None:
        self.work = self.settings.build_dir / "tmp"
        self.files_made = 0
        self.hash_key = self.settings.secret_key()
        for row in self.rows.values():
            key = _key(row)
            if key and not row.duplicate_of and self._is_whole(key, row):
                carried = (row.spec_hash or "").endswith(CARRIED)
                known = Brought(
                    row.file,
                    row.records,
                    row.loaded,
                    row.rejected,
                    row.note,
                    row.arrived_at,
                    carried,
                )
                self.past[key] = known
                if self._is_current(row):
                    self.brought[key] = known

    def take(self, file: Landed) -> None:
        """Reads one landed file, unless it is known, and says in `rows` what became of it."""
        old = self.rows.get((file.connector, file.path))
        if not file.entity:
            where = "no entity's file pattern" if file.connector else "no connector's folder"
            self._record(file, "unrecognised", f"matches {where}")
            return
        spec = self._spec(file.entity)
        if (
            old
            and old.status != "held"
            and (old.bytes, old.modified_ns, old.spec_hash) == (file.bytes, file.modified_ns, spec)
            and _key(old) in self.brought
            and not file.refused
        ):
            self.unchanged += 1
            return
        self.say(f"reading {printable(file.path)} ({file.bytes / 1e6:,.1f} MB)")
        kept = old.active_sha256 if old and old.entity == file.entity.name else None
        sha256 = None
        try:
            with opened(self.settings.landing, file) as descriptor:
                content = self.worker.content(file, descriptor, self.work)
                sha256 = content.sha256
                key = (file.entity.connector, file.entity.name, sha256)
                if key not in self.brought or self.brought[key].carried:
                    self._parse(file, file.entity, content, key)
            self._record(file, "loaded", None, sha256, sha256)
        except Held as held:
            reason = f"{printable(file.path)} {held}"
            if kept:
                reason += "; what an earlier version of the file brought stays"
            self._record(file, "held", reason, sha256, kept)

    def settle(self) -> None:
        """Decides under which name each content counts, and brings carried-over rows up to date."""
        shared: dict[Key, list[LedgerRow]] = defaultdict(list)
        for row in self.rows.values():
            if key := _key(row):
                shared[key].append(row)
        for key, rows in shared.items():
            owner, *others = sorted(rows, key=lambda row: row.file)
            entity = self._entity(key)
            known = self.brought.get(key) or self.past.get(key)
            if entity is None or known is None:
                for row in rows:
                    self._put(_lost(row))
                continue
            if key not in self.brought:
                known = replace(known, carried=True, note=CARRIED_NOTE)
            if key not in self.brought or known.file != owner.file:
                self._reshape(key, entity, owner.file)
            spec = self._spec(entity) + (CARRIED if known.carried else "")
            for row in (owner, *others):
                counts = row is owner
                self._put(
                    replace(
                        row,
                        spec_hash=spec,
                        note=known.note,
                        records=known.records,
                        loaded=known.loaded if counts else 0,
                        rejected=known.rejected if counts else 0,
                        status=_status(row, counts),
                        duplicate_of=None if counts else owner.file,
                        arrived_at=known.arrived_at,
                    )
                )

    def commit(self, ledger_file: Path) -> None:
        """Puts everything in place, then the ledger, then removes what the ledger does not name."""
        for target, source in self.staged.items():
            private_folder(target.parent)
            put(source, target)
        write_ledger(ledger_file, self.rows.values())
        named = {self._raw_file(key) for row in self.rows.values() if (key := _key(row))}
        named |= {
            self._rejects_file(key)
            for row in self.rows.values()
            if (key := _key(row)) and row.rejected
        }
        folders = [self._rejects_folder]
        for connector in self.connectors.values():
            folders += [
                self.settings.raw_dir / connector.name / entity.name
                for entity in connector.entities
            ]
        for folder in folders:
            for path in folder.iterdir():
                if path not in named and path.name != "empty.parquet":
                    path.unlink()
        shutil.rmtree(self.work)

    def _parse(self, file: Landed, entity: Entity, content: Content, key: Key) -> None:
        rows, rejects = self._staging("rows"), self._staging("rejects")
        arrival = max(
            self.now, datetime.fromtimestamp(file.modified_ns / 1e9, UTC).replace(tzinfo=None)
        )
        context = Context(self.settings.time_zone, arrival)
        parsed = self.worker.parse(
            Job(
                entity,
                file.path,
                content,
                context,
                self.now,
                self.hash_key,
                self.work,
                rows,
                rejects,
            )
        )
        self._stage(key, rows, rejects if parsed.rejected else None)
        self.brought[key] = Brought(
            file.path, parsed.records, parsed.loaded, parsed.rejected, parsed.match.note, self.now
        )

    def _reshape(self, key: Key, entity: Entity, file: str) -> None:
        """Rewrites a content's rows under another file name and in the entity's present shape."""
        rows, rejects = self._raw_file(key), self._rejects_file(key)
        rows, rejects = self.staged.get(rows, rows), self.staged.get(rejects, rejects)
        new_rows, new_rejects = self._staging("rows"), self._staging("rejects")
        with engine(self.work, [str(rows), str(rejects)]) as connection:
            connection.execute("set variable hash_key = ?", [self.hash_key])
            found = connection.execute(f"describe from read_parquet({literal(rows)})").fetchall()
            present = {row[0] for row in found}
            columns = [
                f"{name(column.name) if column.name in present else 'null'}::{column.data_type} "
                f"as {name(column.name)}"
                for column in entity.columns
            ]
            hashes = [hash_of(column) for column in entity.columns if column.is_hashed]
            source = f"read_parquet({literal(rows)})"
            shaped = f"select {', '.join(columns)}, _row, _loaded_at from {source}"
            listed = [*(raw_value(column) for column in entity.columns), *hashes]
            listed += [f"{literal(file)} as _file", "_row", "_loaded_at"]
            try:
                connection.execute(
                    f"copy (select {', '.join(listed)} from ({shaped})) to {literal(new_rows)} "
                    "(format parquet, compression zstd)"
                )
            except duckdb.Error as error:
                raise InputError(
                    f"rows that {file} brought earlier do not fit the changed description of "
                    f"{entity.connector}.{entity.name} ({str(error).splitlines()[0]}); put the "
                    "file back into the landing folder or start a new warehouse folder"
                ) from error
            if rejects.exists():
                connection.execute(
                    f"copy (select * replace ({literal(file)} as file) from "
                    f"read_parquet({literal(rejects)})) to {literal(new_rejects)} "
                    "(format parquet, compression zstd)"
                )
        self._stage(key, new_rows, new_rejects if new_rejects.exists() else None)

    def _stage(self, key: Key, rows: Path, rejects: Path | None) -> None:
        self.staged[self._raw_file(key)] = rows
        if rejects:
            self.staged[self._rejects_file(key)] = rejects

    def _staging(self, kind: str) -> Path:
        folder = self.work / "done"
        private_folder(folder)
        self.files_made += 1
        return folder / f"{self.files_made}-{kind}.parquet"

    def _record(
        self,
        file: Landed,
        status: str,
        reason: str | None,
        sha256: str | None = None,
        active: str | None = None,
    ) -> None:
        entity = file.entity
        old = self.rows.get((file.connector, file.path))
        self._put(
            LedgerRow(
                connector=file.connector,
                entity=entity.name if entity else None,
                file=file.path,
                sha256=sha256,
                bytes=file.bytes,
                modified_ns=file.modified_ns,
                spec_hash=self._spec(entity) if entity else None,
                note=None,
                records=0,
                loaded=0,
                rejected=0,
                status=status,
                reason=reason,
                duplicate_of=None,
                arrived_at=old.arrived_at if old and old.sha256 == sha256 else self.now,
                active_sha256=active,
            )
        )

    def _put(self, row: LedgerRow) -> None:
        self.rows[(row.connector, row.file)] = row

    def _entity(self, key: Key) -> Entity | None:
        connector = self.connectors.get(key[0])
        entities = connector.entities if connector else ()
        return next((entity for entity in entities if entity.name == key[1]), None)

    def _spec(self, entity: Entity) -> str:
        return entity.fingerprint(self.settings.time_zone, self.hash_key)

    def _is_current(self, row: LedgerRow) -> bool:
        key = _key(row)
        entity = self._entity(key) if key else None
        return entity is not None and (row.spec_hash or "").rstrip(CARRIED) == self._spec(entity)

    def _is_whole(self, key: Key, row: LedgerRow) -> bool:
        return self._raw_file(key).exists() and (
            not row.rejected or self._rejects_file(key).exists()
        )

    def _raw_file(self, key: Key) -> Path:
        connector, entity, sha256 = key
        return self.settings.raw_dir / connector / entity / f"{sha256[:16]}.parquet"

    @property
    def _rejects_folder(self) -> Path:
        return self.settings.raw_dir / "intake" / "rejected_rows"

    def _rejects_file(self, key: Key) -> Path:
        connector, entity, sha256 = key
        return self._rejects_folder / f"{connector}.{entity}.{sha256[:16]}.parquet"


def _key(row: LedgerRow) -> Key | None:
    if row.connector and row.entity and row.active_sha256:
        return row.connector, row.entity, row.active_sha256
    return None


def _status(row: LedgerRow, counts: bool) -> str:
    if row.status == "held":
        return "held"
    return "loaded" if counts else "duplicate"


def _lost(row: LedgerRow) -> LedgerRow:
    return replace(
        row,
        status="held",
        reason=f"{row.file}: its rows are no longer in the warehouse; put the file back into the"
        " landing folder",
        records=0,
        loaded=0,
        rejected=0,
        duplicate_of=None,
        active_sha256=None,
    )


def _check_one_shop(settings: Settings, selected: tuple[str, ...], before: list[LedgerRow]) -> None:
    holding = {row.connector for row in before if row.active_sha256 and row.connector}
    if others := sorted(holding - set(selected)):
        raise InputError(
            f"the warehouse {settings.warehouse} already holds data of {', '.join(others)}; give "
            f"{', '.join(selected)} a warehouse folder of its own, or select all of them with "
            f"--connector {','.join([*selected, *others])}"
        )


def _holdout(settings: Settings) -> dict[str, str]:
    """Who is held out: those of whom md5(salt || customer_id), as text, sorts below the bound."""
    key = settings.secret_key().encode()
    bound = f"{round(settings.holdout_share * 16**32):032x}"
    return {
        "holdout_salt": hmac.digest(key, b"hold-out", "sha256").hex(),
        "holdout_below": bound if len(bound) == 32 else "g",  # all of them
    }


def _prepare(
    settings: Settings,
    connectors: Mapping[str, Connector],
    as_of: date | None,
    run_id: str,
    now: datetime,
) -> None:
    """An empty working folder, the settings of this run, and a zero-row Parquet of everything."""
    end_left_behind(settings)
    shutil.rmtree(settings.build_dir / "tmp", ignore_errors=True)
    raw = settings.raw_dir
    for folder in (raw, settings.build_dir, settings.build_dir / "tmp"):
        private_folder(folder)
    for left_by_a_killed_run in raw.rglob(".*"):
        left_by_a_killed_run.unlink()
    asked = {"as_of_date": as_of, "run_id": run_id, "started_at": now, **_holdout(settings)}
    row = {**settings.model_dump(include=SETTINGS_COLUMNS.keys() - asked.keys()), **asked}
    write_table(
        raw / "run" / "settings" / "settings.parquet",
        SETTINGS_COLUMNS,
        [[row[column] for column in SETTINGS_COLUMNS]],
    )
    write_placeholders(settings)
    empties = {raw / "quality" / "check_results": CHECK_COLUMNS}
    empties |= {raw / "previous" / name: columns for name, columns in PREVIOUS_COLUMNS.items()}
    empties |= {raw / "ltv" / name: columns for name, columns in LTV_COLUMNS.items()}
    empties[raw / "activation" / "contacts"] = CONTACT_COLUMNS
    empties[raw / "intake" / "rejected_rows"] = REJECTED_COLUMNS
    for connector in connectors.values():
        for entity in connector.entities:
            empties[raw / connector.name / entity.name] = entity.raw_columns
    write_empty(empties)
