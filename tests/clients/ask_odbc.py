"""The ODBC driver psqlODBC, by pyodbc; the driver is named by its file, not registered."""

from typing import Any

import pyodbc
from serve import serve


class ODBC:
    def __init__(self, warehouse: dict[str, str]) -> None:
        self.address = (
            f"DRIVER={warehouse['driver']};SERVER={warehouse['host']};PORT={warehouse['port']};"
            f"DATABASE={warehouse['database']};UID={warehouse['user']};PWD={warehouse['password']};"
            "BoolsAsChar=0"  # else booleans are texts
        )
        self.reconnect()
        self.version = self.connection.getinfo(pyodbc.SQL_DRIVER_VER)

    def reconnect(self) -> None:
        self.connection = pyodbc.connect(self.address, autocommit=True)

    def query(self, sql: str) -> list[Any]:
        cursor = self.connection.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]

    def tables(self) -> list[Any]:
        found = self.connection.cursor().tables(schema="marts", tableType="TABLE")
        return [(table.table_name, table.remarks) for table in found]

    def columns(self, table: str) -> list[Any]:
        found = self.connection.cursor().columns(schema="marts", table=table)
        return [
            (
                column.column_name,
                f"numeric({column.column_size},{column.decimal_digits})"
                if column.type_name == "numeric"
                else column.type_name,
                column.remarks,
            )
            for column in found
        ]


serve(ODBC)
