"""A published version, as the report reads it."""

from collections import namedtuple
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from dagster_project.lib.errors import RegularsError
from dagster_project.lib.publish.candidate import one_line
from dagster_project.lib.publish.generations import replaced_file
from dagster_project.lib.publish.query import connect_published
from dagster_project.lib.report.wording import NONE, Number, decimal
from dagster_project.lib.settings import Settings


class OtherTables(RegularsError):
    """The version was published with other tables than the report reads."""


Row = Any  # a named tuple of the columns asked for
make_record: Any = namedtuple


class Snapshot:
    """One generation; it stays on that one whatever is published meanwhile."""

    def __init__(self, settings: Settings, file: Path | None = None) -> None:
        """Raises InputError where nothing is published, RegularsError where it cannot be read."""
        self._connection = connect_published(settings, file_of_version=file)
        publication = self.row("select * from meta.publication")
        self.generation: str = publication.generation
        self.run_id: str = publication.run_id
        self.as_of: date = publication.as_of_date
        self.published_at: datetime = publication.published_at

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def rows(self, sql: str, *values: object) -> list[Row]:
        try:
            answer = self._connection.execute(sql, values or None)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise OtherTables(
                f"version {self.generation} was published by another release of Regulars:"
                f" {one_line(error)}"
            ) from None
        names = [column[0] for column in answer.description or []]
        record = make_record("Row", names)
        return [record(*row) for row in answer.fetchall()]

    def row(self, sql: str, *values: object) -> Row:
        (row,) = self.rows(sql, *values)
        return row

    @cached_property
    def currency(self) -> str:
        """The reporting currency; empty where none is named."""
        found = self.row("select any_value(reporting_currency) as code from fct_orders").code
        return "" if found in (None, "XXX") else str(found)

    def money(self, amount: Number | None, places: int = 0) -> str:
        if amount is None:
            return NONE
        return f"{decimal(amount, places)}\N{NO-BREAK SPACE}{self.currency}".strip()

    @cached_property
    def comments(self) -> dict[str, str]:
        """What the marts say of themselves: `table` and `table.column`."""
        tables = self.rows(
            "select table_name as name, comment from duckdb_tables() where schema_name = 'marts'"
        )
        columns = self.rows(
            "select table_name || '.' || column_name as name, comment from duckdb_columns()"
            " where schema_name = 'marts'"
        )
        return {row.name: row.comment for row in (*tables, *columns) if row.comment}


def previous(settings: Settings, generation: str) -> Snapshot | None:
    """The version that this one replaced, if it is kept."""
    file = replaced_file(settings, generation)
    return Snapshot(settings, file) if file else None
