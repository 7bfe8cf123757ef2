"""Names and values are data: what quotes them, and the locked-down engine that reads files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

MEMORY_LIMIT = "2GB"


def name(identifier: str) -> str:
    """An identifier, quoted."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A value as a quoted string literal."""
    return "'" + str(value).replace("'", "''") + "'"


@contextmanager
def engine(work: Path, readable: Sequence[str] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private in-memory DuckDB that can touch only the folder `work` and the paths `readable`."""
    with duckdb.connect() as connection:
        for setting, value in (
            ("TimeZone", "'UTC'"),
            ("memory_limit", literal(MEMORY_LIMIT)),
            ("temp_directory", literal(work / "spill")),
            ("allowed_directories", f"[{literal(work)}]"),
            ("allowed_paths", f"[{', '.join(map(literal, readable))}]"),
            ("autoinstall_known_extensions", "false"),
            ("enable_external_access", "false"),
            ("lock_configuration", "true"),
        ):
            connection.execute(f"set {setting} = {value}")
        yield connection
