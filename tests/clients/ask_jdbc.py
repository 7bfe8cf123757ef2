"""The JDBC driver pgJDBC, in a Java machine that JPype starts."""

from typing import Any

import jpype
from serve import serve


class JDBC:
    def __init__(self, warehouse: dict[str, str]) -> None:
        jpype.startJVM(classpath=[warehouse["driver"]])
        self.warehouse = warehouse
        self.reconnect()
        self.version = str(self.connection.getMetaData().getDriverVersion())

    def reconnect(self) -> None:
        address = "jdbc:postgresql://{host}:{port}/{database}".format_map(self.warehouse)
        manager = jpype.JClass("java.sql.DriverManager")
        self.connection = manager.getConnection(
            address, self.warehouse["user"], self.warehouse["password"]
        )

    def query(self, sql: str) -> list[Any]:
        return rows(self.connection.createStatement().executeQuery(sql))

    def tables(self) -> list[Any]:
        found = self.connection.getMetaData().getTables(None, "marts", None, ["TABLE"])
        return rows(found, "TABLE_NAME", "REMARKS")

    def columns(self, table: str) -> list[Any]:
        found = rows(
            self.connection.getMetaData().getColumns(None, "marts", table, None),
            *("COLUMN_NAME", "TYPE_NAME", "COLUMN_SIZE", "DECIMAL_DIGITS", "REMARKS"),
        )
        return [
            (name, f"numeric({size},{digits})" if kind == "numeric" else kind, comment)
            for name, kind, size, digits, comment in found
        ]


def rows(result: Any, *names: str) -> list[Any]:
    """The rows of a ResultSet, all columns or those named."""
    wanted = names or range(1, result.getMetaData().getColumnCount() + 1)
    found = []
    while result.next():
        found.append([plain(result.getObject(column)) for column in wanted])
    return found


def plain(value: Any) -> Any:
    if isinstance(value, jpype.JClass("java.lang.Boolean")):
        return bool(value)
    if value is None or isinstance(value, int | float):
        return value
    return str(value.toPlainString() if hasattr(value, "toPlainString") else value)


serve(JDBC)
