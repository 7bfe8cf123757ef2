"""Addresses that stand for none, as the hashes by which the warehouse knows addresses."""

import csv
from pathlib import Path

import duckdb

from dagster_project.lib.errors import InputError
from dagster_project.lib.intake.ledger import write_table
from dagster_project.lib.intake.rules import email_hash
from dagster_project.lib.settings import PROJECT_ROOT, Settings

PLACEHOLDERS_FILE = PROJECT_ROOT / "seeds" / "placeholder_emails.csv"
PLACEHOLDER_COLUMNS = {"email_hash": "varchar"}


def write_placeholders(settings: Settings, file: Path = PLACEHOLDERS_FILE) -> None:
    """Writes the hashes of the seed's addresses into raw; the key stays here.

    Raises InputError where the seed has no column `email`, or something else in it.
    """
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        if reader.fieldnames != ["email"]:
            raise InputError(f"{file}:1 is to name one column, email")
        emails = [row["email"] for row in reader]
    for line, email in enumerate(emails, start=2):
        if "@" not in email:
            raise InputError(f"{file}:{line} {email!r} is no address")
    with duckdb.connect() as connection:
        connection.execute("set variable hash_key = ?", [settings.secret_key()])
        hashes = connection.execute(
            f"select distinct {email_hash('email')} from (select unnest(?::varchar[]) as email)",
            [emails],
        ).fetchall()
    target = settings.raw_dir / "run" / "placeholder_emails" / "placeholder_emails.parquet"
    write_table(target, PLACEHOLDER_COLUMNS, sorted(hashes))
