"""Superset by its REST API: a database is made as by its form, tables are read as its lists read
them, SQL is run as by SQL Lab."""

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from serve import serve

HOME = Path(tempfile.mkdtemp(prefix="regulars-superset-"))
CONFIG = f"""
SECRET_KEY = {secrets.token_hex(32)!r}
SQLALCHEMY_DATABASE_URI = 'sqlite:///{HOME}/superset.db'
SQL_MAX_ROW = DISPLAY_MAX_ROW = 100_000
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
"""


class Superset:
    def __init__(self, warehouse: dict[str, str]) -> None:
        (HOME / "superset_config.py").write_text(CONFIG)
        os.environ |= {
            "SUPERSET_CONFIG_PATH": str(HOME / "superset_config.py"),
            "SUPERSET_HOME": str(HOME),
            "SCARF_ANALYTICS": "false",
        }
        password = secrets.token_hex(16)
        for command in (
            ["db", "upgrade"],
            "fab create-admin --username admin --firstname Ada --lastname Admin"
            f" --email ada@shop.example --password {password}".split(),
            ["init"],
        ):
            subprocess.run([Path(sys.executable).with_name("superset"), *command], check=True)
        from superset.app import create_app

        self.app = create_app()
        self.version = self.app.config["VERSION_STRING"]
        self.http = self.app.test_client()
        login = {"username": "admin", "password": password, "provider": "db"}
        token = self.send("post", "security/login", json=login)["access_token"]
        self.http.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        address = (
            "duckdb:///{file}?access_mode=read_only"
            if "file" in warehouse
            else "postgresql+psycopg2://{user}:{password}@{host}:{port}/{database}"
        ).format_map(warehouse)
        form = {"database_name": "shop", "sqlalchemy_uri": address, "allow_dml": True}
        self.send("post", "database/test_connection", json=form)
        self.id = self.send("post", "database/", json=form)["id"]

    def reconnect(self) -> None:
        """Each question has a connection of its own."""

    def send(self, method: str, path: str, **given: Any) -> Any:
        response = self.http.open(f"/api/v1/{path}", method=method, **given)
        if response.status_code >= 400:
            raise RuntimeError(response.get_data(as_text=True))
        return response.get_json()

    def query(self, sql: str) -> list[Any]:
        form = {
            "database_id": self.id,
            "schema": "marts",
            "sql": sql,
            "runAsync": False,
            "queryLimit": 100_000,
        }
        answer = self.send("post", "sqllab/execute/", json=form)
        names = [column["column_name"] for column in answer["columns"]]
        return [[row[name] for name in names] for row in answer["data"]]

    def tables(self) -> list[Any]:
        listed = self.send("get", f"database/{self.id}/tables/?q=(schema_name:marts,force:!t)")
        path = f"database/{self.id}/table_metadata/?schema=marts&name="
        names = [table["value"] for table in listed["result"]]
        self.described = {name: self.send("get", path + name) for name in names}
        return [(name, table["comment"]) for name, table in self.described.items()]

    def columns(self, table: str) -> list[Any]:
        columns = self.described[table]["columns"]
        return [(column["name"], column["longType"], column["comment"]) for column in columns]


serve(Superset)
