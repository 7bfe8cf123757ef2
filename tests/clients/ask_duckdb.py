"""The Python package duckdb."""

from typing import Any

import duckdb
from serve import serve


class DuckDB:
    version = duckdb.__version__

    def __init__(self, warehouse: dict[str, str]) -> None:
        self.file = warehouse["file"]
        self.connection = duckdb.connect(self.file, read_only=True)

    def reconnect(self) -> None:
        self.connection.close()
        self.connection = duckdb.connect(self.file, read_only=True)

    def query(self, sql: str) -> list[Any]:
        return self.connection.execute(sql).fetchall()

    def tables(self) -> list[Any]:
        return self.query(
            "select table_name, comment from duckdb_tables() where schema_name = 'marts'"
        )

    def columns(self, table: str) -> list[Any]:
        self.connection.execute(f"select * from marts.{table} limit 0")
        types = {name: str(kind) for name, kind, *_ in self.connection.description}
        comments = self.query(
            "select column_name, comment from duckdb_columns()"
            f" where schema_name = 'marts' and table_name = '{table}' order by column_index"
        )
        return [(name, types[name], comment) for name, comment in comments]


serve(DuckDB)
