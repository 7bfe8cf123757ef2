"""Names and values are data: what quotes them, and the locked-down engine that reads files."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

# Of the process that reads files; its engine may fill half of it. A machine of 8 GB or more: 4 GiB.
MEMORY = min(4 << 30, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
THREADS = min(8, os.cpu_count() or 1)  # each has buffers of its own


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
            ("threads", str(THREADS)),
            ("memory_limit", literal(f"{MEMORY >> 21}MiB")),
            ("temp_directory", literal(work / "spill")),
            ("max_temp_directory_size", literal(f"{4 * MEMORY >> 20}MiB")),
            ("allowed_directories", f"[{literal(work)}]"),
            ("allowed_paths", f"[{', '.join(map(literal, readable))}]"),
            ("autoinstall_known_extensions", "false"),
            ("enable_external_access", "false"),
            ("lock_configuration", "true"),
        ):
            connection.execute(f"set {setting} = {value}")
        yield connection
