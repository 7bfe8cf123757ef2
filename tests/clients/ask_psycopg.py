"""psycopg, by which Python programs speak to PostgreSQL."""

from typing import Any

import psycopg
from serve import serve


class Psycopg:
    version = psycopg.__version__

    def __init__(self, warehouse: dict[str, str]) -> None:
        self.warehouse = warehouse
        self.reconnect()

    def reconnect(self) -> None:
        self.connection = psycopg.connect(
            host=self.warehouse["host"],
            port=self.warehouse["port"],
            dbname=self.warehouse["database"],
            user=self.warehouse["user"],
            password=self.warehouse["password"],
            autocommit=True,
        )

    def query(self, sql: str) -> list[Any]:
        return self.connection.execute(sql).fetchall()

    def tables(self) -> list[Any]:
        return self.query(
            "select tablename, obj_description(format('%I.%I', schemaname, tablename)::regclass)"
            " from pg_tables where schemaname = 'marts'"
        )

    def columns(self, table: str) -> list[Any]:
        described = self.connection.execute(f"select * from marts.{table} limit 0").description
        comments = dict(
            self.query(
                "select attname, col_description(attrelid, attnum) from pg_attribute"
                f" where attrelid = 'marts.{table}'::regclass and attnum > 0"
            )
        )
        return [(column.name, column.type_display, comments[column.name]) for column in described]


serve(Psycopg)
