"""Audiences leave the warehouse: names and addresses are joined here and nowhere else.

Who leaves is a member in the published version, may still be written to by what was loaded last, is
not held out, and has room under the cap on contacts. An audience is exported once for a day of
contact; asked for again, the same customers are written, less those who may not be written to any
more.
"""

import csv
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

import duckdb

from dagster_project.lib.activation.contacts import record_file, records, write_record
from dagster_project.lib.contract import contract
from dagster_project.lib.errors import InputError, RegularsError
from dagster_project.lib.intake.ledger import private_folder, put, read_ledger
from dagster_project.lib.intake.sql import literal
from dagster_project.lib.settings import Settings

Format = Literal["csv", "parquet"]

# Where a spreadsheet sees a formula begin, also in full width, and in the middle of a text that it
# parts at semicolons or tabs.
SIGNS = "=+@\uff1d\uff0b\uff0d\uff20-"
FORMULA = re.compile(rf"^(?=[\t\r\n{SIGNS}])|(?<=[;\t\r\n])(?=[{SIGNS}])")
COLUMNS = (
    *("customer_id", "channel", "address", "language", "greeting", "first_name", "last_name"),
    *("audience", "subject_id", "subject", "reason", "since_date"),
)
BATCH = 10_000

MEMBERS = """
    create or replace temp table members as
    select
        members.customer_id,
        greeted.channel,
        greeted.address,
        greeted.language,
        greeted.greeting,
        greeted.first_name,
        greeted.last_name,
        members.audience,
        members.subject_id,
        members.subject,
        members.reason,
        members.since_date,
        members.is_holdout or greeted.is_holdout as is_holdout
    from published.marts.fct_audience_members as members
    inner join build.pii.int_contacts__greeted as greeted using (customer_id)
    where members.audience = $audience"""

# Contacts under the names of the persons that they are now, near enough to count under the cap.
NEARBY = """
    create or replace temp table nearby as
    with persons as (
        select identifier as customer_id, min(customer_id) as person
        from build.intermediate.int_identity__resolved
        where customer_id is not null
        group by all
    )
    select
        coalesce(persons.person, contacts.customer_id) as customer_id,
        contacts.audience,
        contacts.is_holdout,
        contacts.contact_date
    from read_parquet($records) as contacts
    left join persons using (customer_id)
    where abs(contacts.contact_date - $contact_date::date) < $contact_days"""

CHOSEN = """
    create or replace temp table chosen as
    from members
    where
        (select count(*) from nearby where nearby.customer_id = members.customer_id)
        < $max_contacts"""

CHOSEN_AGAIN = """
    create or replace temp table chosen as
    select members.* replace (members.is_holdout or earlier.is_holdout as is_holdout)
    from members
    inner join (
        select customer_id, bool_and(is_holdout) as is_holdout
        from nearby
        where audience = $audience and contact_date = $contact_date
        group by customer_id
    ) as earlier using (customer_id)"""

COUNTS = """
    select
        count(*) filter (not chosen.is_holdout),
        count(*) filter (members.is_holdout),
        count(*) filter (chosen.customer_id is null and not members.is_holdout)
    from members
    left join chosen using (customer_id)"""

COUNTS_AGAIN = """
    select
        count(*) filter (not is_holdout) as customers,
        count(*) filter (is_holdout),
        (
            select count(distinct customer_id)
            from nearby
            where audience = $audience and contact_date = $contact_date and not is_holdout
        )
        - customers
    from chosen"""

RECORD = """
    select
        audience,
        customer_id,
        channel,
        is_holdout,
        (select holdout_share from build.intermediate.int_run__settings) as holdout_share,
        date '{contact_date}' as contact_date,
        timestamp '{now}' as recorded_at
    from chosen"""


@dataclass(frozen=True)
class Exported:
    """What was written; `is_repeated` where the audience had been exported for that day before.

    Not written were members that are held out, and those contacted lately or, of an export made
    again, whom it held but who may not be written to any more.
    """

    audience: str
    file: Path
    customers: int
    held_out: int
    left_out: int
    is_repeated: bool


class Exporter:
    """Exports from the published version; the caller holds the warehouse's lock.

    `contact_date` is the day on which the customers will be written to, by default today in the
    shop's time zone. Raises InputError where nothing is published, the day is not after the
    version's date, or it is not known who is not to be contacted.
    """

    def __init__(self, settings: Settings, contact_date: date | None = None) -> None:
        self._settings = settings
        self._connection = _connect(settings)
        try:
            self._check_suppressions()
        except InputError:
            self._connection.close()
            raise
        ((self.as_of, built, time_zone, self._max_contacts, self._contact_days),) = (
            self._connection.execute(
                "select publication.as_of_date, settings.as_of_date, settings.time_zone,"
                " settings.max_contacts, settings.contact_days"
                " from published.meta.publication, build.intermediate.int_run__settings as settings"
            ).fetchall()
        )
        if built < self.as_of:  # who came since then is not in it
            self._connection.close()
            raise RegularsError(
                f"the last build is of {built}, before the published version of {self.as_of};"
                " run `regulars run` first"
            )
        self.contact_date = contact_date or datetime.now(ZoneInfo(time_zone)).date()
        if self.contact_date <= self.as_of:
            self._connection.close()
            raise InputError(
                f"the published version speaks of {self.as_of}: nobody can be written to on"
                f" {self.contact_date} because of it; name a later day"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def audiences(self) -> list[str]:
        """All audiences, in the order in which they are exported."""
        rows = self._connection.execute(
            "select audience from build.seeds.audiences order by priority, audience"
        )
        return [audience for (audience,) in rows.fetchall()]

    def export(self, audience: str, format: Format = "csv", output: Path | None = None) -> Exported:
        """Writes an audience to a file, by default in a folder of the day of contact.

        csv: for people and spreadsheets, in UTF-8 with a byte order mark; a text that a spreadsheet
        would take for a formula has an apostrophe before it. parquet: as it is. Raises InputError
        where there is no such audience, or the file cannot be written; then nothing is recorded.
        """
        if audience not in self.audiences:
            raise InputError(f"there is no audience {audience!r}; {', '.join(self.audiences)} are")
        record = record_file(self._settings, audience, self.contact_date)
        is_repeated = record.exists()
        folder = self._settings.warehouse / "exports" / self.contact_date.isoformat()
        file = output or folder / f"{audience}.{format}"
        target = file.resolve()
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            if output is None:
                private_folder(folder)
            if target.exists() and not target.is_file():
                raise InputError(f"cannot write {file}: it is no file")
            self._select(audience, is_repeated)
            self._write(format, temporary)
            if not is_repeated:
                now = datetime.now(UTC).replace(tzinfo=None)
                query = RECORD.format(contact_date=self.contact_date, now=now)
                write_record(self._connection, query, record)
            put(temporary, target)
            return Exported(audience, file, *self._counts(audience, is_repeated), is_repeated)
        except duckdb.Error as error:
            raise RegularsError(f"cannot export {audience}: {str(error).splitlines()[0]}") from None
        except OSError as error:
            raise InputError(f"cannot write {file}: {error.strerror or error}") from None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _select(self, audience: str, is_repeated: bool) -> None:
        day = {"contact_date": self.contact_date}
        self._connection.execute(MEMBERS, {"audience": audience})
        self._connection.execute(
            NEARBY,
            {
                "records": str(records(self._settings) / "*.parquet"),
                "contact_days": self._contact_days,
                **day,
            },
        )
        if is_repeated:
            self._connection.execute(CHOSEN_AGAIN, {"audience": audience, **day})
        else:
            self._connection.execute(CHOSEN, {"max_contacts": self._max_contacts})

    def _write(self, format: Format, file: Path) -> None:
        query = f"select {', '.join(COLUMNS)} from chosen where not is_holdout order by customer_id"
        file.touch(mode=0o600)
        if format == "csv":
            self._write_csv(query, file)
        else:
            self._connection.execute(
                f"copy ({query}) to {literal(file)} (format parquet, compression zstd)"
            )

    def _write_csv(self, query: str, file: Path) -> None:
        rows = self._connection.execute(query)
        with file.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            while batch := rows.fetchmany(BATCH):
                writer.writerows([neutralised(value) for value in row] for row in batch)

    def _counts(self, audience: str, is_repeated: bool) -> tuple[int, int, int]:
        if is_repeated:
            day = {"audience": audience, "contact_date": self.contact_date}
            (counts,) = self._connection.execute(COUNTS_AGAIN, day).fetchall()
        else:
            (counts,) = self._connection.execute(COUNTS).fetchall()
        return counts

    def _check_suppressions(self) -> None:
        """Whom a file names that could not be read nobody knows; they must not be contacted."""
        (suppressions,) = (entity for entity in contract() if entity.name == "suppressions")
        problems = [
            row.reason or f"{row.file}: rows were rejected"
            for row in read_ledger(self._settings.raw_dir / "intake" / "files" / "files.parquet")
            if (row.connector, row.entity) in suppressions.fed_by
            and (row.status == "held" or row.rejected)
        ]
        ((names_nobody,),) = self._connection.execute(
            "select count(*) > 0 from build.staging.stg_suppressions where customer_id is null"
            " and customer_email_hash is null and customer_phone_hash is null"
        ).fetchall()
        if names_nobody:
            problems.append(
                "a row names no account, address or number; `regulars doctor` says what was not"
                " read"
            )
        if problems:
            raise InputError(
                f"it is not known who is not to be contacted, so nobody is exported:"
                f" {'; '.join(problems)}. Mend each file, or deliver one of its name if it is gone,"
                " and run `regulars run`"
            )


def neutralised(value: object) -> object:
    """A cell in which no spreadsheet finds a formula."""
    return FORMULA.sub("'", value) if isinstance(value, str) else value


def _connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    published = settings.published_file.resolve()
    if not published.is_file():
        raise InputError(
            f"{settings.warehouse}: nothing is published yet; run `regulars run` first"
        )
    connection = duckdb.connect()
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {literal(published)} as published (read_only)")
        connection.execute(f"attach {literal(settings.build_file)} as build (read_only)")
        for table in (
            "published.marts.fct_audience_members",
            "build.pii.int_contacts__greeted",
            "build.seeds.audiences",
            "build.staging.stg_suppressions",
            f"read_parquet({literal(records(settings) / '*.parquet')})",
        ):
            connection.execute(f"from {table} limit 0")
        loaded = settings.raw_dir / "run" / "settings" / "settings.parquet"
        ((is_left_behind,),) = connection.execute(
            "select coalesce(bool_or(run_started_at <> started_at), false)"
            " from build.pii.int_contacts__greeted, read_parquet(?)",
            [str(loaded)],
        ).fetchall()
    except duckdb.Error as error:
        connection.close()
        raise RegularsError(
            f"{settings.warehouse} holds no whole build ({str(error).splitlines()[0]}); run"
            " `regulars run` first"
        ) from None
    if is_left_behind:
        connection.close()
        raise RegularsError(
            f"{settings.warehouse}: the last run ended before it knew who may be written to by what"
            " it had loaded, so nobody is exported; run `regulars run` first"
        )
    return connection
