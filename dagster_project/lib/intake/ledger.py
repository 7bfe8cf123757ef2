"""The ledger, one row per landed file ever seen, and the writing of small tables into raw."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.lib.errors import InputError
from dagster_project.lib.intake.sql import literal

ARROW_TYPES = {
    "varchar": pa.string(),
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}

LEDGER_COLUMNS = {
    "connector": "varchar",
    "entity": "varchar",
    "file": "varchar",
    "sha256": "varchar",
    "bytes": "bigint",
    "modified_ns": "bigint",
    "spec_hash": "varchar",
    "note": "varchar",
    "records": "bigint",
    "loaded": "bigint",
    "rejected": "bigint",
    "status": "varchar",
    "reason": "varchar",
    "duplicate_of": "varchar",
    "arrived_at": "timestamp",
    "active_sha256": "varchar",
}
CHECK_COLUMNS = {
    **dict.fromkeys(("check_id", "layer", "table_name", "expectation", "severity"), "varchar"),
    "passed": "boolean",
    **dict.fromkeys(("observed", "description", "run_id"), "varchar"),
}
# What is kept of the published version: the columns of its marts that the next one is compared by.
PREVIOUS_COLUMNS = {
    "fct_lifecycle_transitions": {
        **dict.fromkeys(("customer_id", "to_stage", "to_segment"), "varchar"),
        "transition_date": "date",
    },
    "fct_orders": {
        **dict.fromkeys(("order_id", "customer_id"), "varchar"),
        "order_number": "integer",
        "order_date": "date",
    },
    "fct_sales_daily": {
        "orders": "bigint",
        **dict.fromkeys(("gross_sales", "net_sales_by_refund_date"), "decimal(18,3)"),
        "sales_date": "date",
    },
    "fct_restatements": {
        **dict.fromkeys(
            ("run_id", "metric", "customer_id", "old_value", "new_value", "cause"), "varchar"
        ),
        "period_start": "date",
        "restated_at": "timestamp",
    },
    "publication": {"has_same_rules": "boolean", "as_of_date": "date"},
}
SETTINGS_COLUMNS = {
    "as_of_date": "date",
    "time_zone": "varchar",
    "reporting_currency": "varchar",
    "merge_same_day_orders": "boolean",
    "count_zero_value_orders": "boolean",
    "keep_identical_rows": "boolean",
    "follow_up_days": "integer",
    "fallback_at_risk_after_days": "integer",
    "fallback_inactive_after_days": "integer",
    "max_accounts_per_email": "integer",
    "max_emails_per_account": "integer",
    "session_timeout_minutes": "integer",
    "split_sessions_at_midnight": "boolean",
    "split_sessions_at_campaign": "boolean",
    "bot_events_per_minute": "integer",
    "bot_events_per_hour": "integer",
    "first_touch_days": "integer",
    "last_touch_days": "integer",
    "experiment_days": "integer",
    "ltv_backtest_days": "integer",
    "ltv_min_history_days": "integer",
    "ltv_min_repeat_customers": "integer",
    "refunds_known_after_days": "integer",
    "discount_rate_per_year": "double",
    "language": "varchar",
    "max_contacts": "integer",
    "contact_days": "integer",
    "holdout_share": "double",
    "holdout_salt": "varchar",
    "holdout_below": "varchar",
    "run_id": "varchar",
    "started_at": "timestamp",
}


@dataclass(frozen=True)
class LedgerRow:
    """What became of one landed file.

    `status` is loaded, duplicate, held or unrecognised. `sha256` is the content as it lies in the
    landing folder, `active_sha256` the content that the file contributes: an earlier one while the
    newer is held. `records`, `loaded` and `rejected` count the active content; a duplicate loads 0.
    """

    connector: str | None
    entity: str | None
    file: str
    sha256: str | None
    bytes: int
    modified_ns: int
    spec_hash: str | None
    note: str | None
    records: int
    loaded: int
    rejected: int
    status: str
    reason: str | None
    duplicate_of: str | None
    arrived_at: datetime
    active_sha256: str | None


def read_ledger(path: Path) -> list[LedgerRow]:
    """The ledger's rows; none where there is no ledger yet."""
    if not path.exists():
        return []
    try:
        with duckdb.connect() as connection:
            columns = ", ".join(LEDGER_COLUMNS)
            query = f"select {columns} from read_parquet({literal(path)})"
            return [LedgerRow(*row) for row in connection.execute(query).fetchall()]
    except duckdb.Error as error:
        raise InputError(
            f"the ledger {path} cannot be read ({str(error).splitlines()[0]}); use an empty "
            "warehouse folder to load everything anew"
        ) from error


def write_ledger(path: Path, rows: Iterable[LedgerRow]) -> None:
    ordered = sorted(rows, key=lambda row: (row.connector or "", row.file))
    write_table(path, LEDGER_COLUMNS, [astuple(row) for row in ordered])


def write_table(path: Path, columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
    """Writes a small Parquet that is there as a whole or not at all, readable by its owner only."""
    schema = _schema(columns)
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    private_folder(path.parent)
    pq.write_table(pa.table(arrays, schema), temporary)
    put(temporary, path)


def write_empty(tables: Mapping[Path, Mapping[str, str]]) -> None:
    """A zero-row Parquet of each table, so that a glob over its folder always finds its columns."""
    for folder, columns in tables.items():
        path, schema = folder / "empty.parquet", _schema(columns)
        if not path.exists() or pq.read_schema(path) != schema:
            write_table(path, columns, [])


def _schema(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow types of columns whose types are named as in SQL."""
    return pa.schema([(name, _arrow_type(kind)) for name, kind in columns.items()])


def _arrow_type(kind: str) -> pa.DataType:
    if decimal := re.fullmatch(r"decimal\((\d+),(\d+)\)", kind):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    return ARROW_TYPES[kind]


def put(temporary: Path, path: Path) -> None:
    """Moves a finished file to its place, on disk before and after."""
    temporary.chmod(0o600)
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def private_folder(path: Path) -> None:
    """Makes a folder that only its owner can enter."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(exist_ok=True, mode=0o700)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
