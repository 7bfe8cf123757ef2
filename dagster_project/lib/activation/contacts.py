"""The record of who was in an export, on which the cap on contacts and their measuring rest.

One Parquet file per audience and day of contact in raw/activation/contacts. It is written before
the export itself, so that nobody is contacted who is not on record.
"""

import os
from datetime import date
from pathlib import Path

import duckdb

from dagster_project.lib.intake.ledger import private_folder, put
from dagster_project.lib.intake.sql import literal
from dagster_project.lib.settings import Settings

CONTACT_COLUMNS = {
    **dict.fromkeys(("audience", "customer_id", "channel"), "varchar"),
    "is_holdout": "boolean",  # who would have been contacted, but is held out
    "holdout_share": "double",
    "contact_date": "date",
    "recorded_at": "timestamp",
}


def record_file(settings: Settings, audience: str, contact_date: date) -> Path:
    """Where the contacts of one export are, or will be, on record."""
    return records(settings) / f"{contact_date.isoformat()}-{audience}.parquet"


def records(settings: Settings) -> Path:
    """The folder of all records, which holds at least an empty one."""
    return settings.raw_dir / "activation" / "contacts"


def write_record(connection: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    """Writes the rows of a query, with the columns above, as the record of one export."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    private_folder(file.parent)
    typed = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in CONTACT_COLUMNS.items())
    connection.execute(
        f"copy (select {typed} from ({query})) to {literal(temporary)} (format parquet)"
    )
    put(temporary, file)
