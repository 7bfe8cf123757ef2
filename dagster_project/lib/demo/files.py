"""Files that grow piece by piece; the ending of a name says the format."""

import gzip
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq


class Files(ExitStack):
    """The files of one new folder; `records` counts what each of them holds."""

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection) -> None:
        super().__init__()
        self.folder, self.con = folder, con
        folder.mkdir(parents=True)
        self.records: dict[str, int] = {}
        self._streams: dict[str, BinaryIO] = {}
        self._tables: dict[str, pq.ParquetWriter] = {}

    def append(self, name: str, query: str) -> None:
        """Adds the rows of a query."""
        if name.endswith(".parquet"):
            self._append_table(name, self.con.sql(query).to_arrow_table())
            return
        is_json = ".jsonl" in name
        form = "format json" if is_json else f"format csv, header {name not in self._streams}"
        piece = self.folder / "_piece"
        target = str(piece).replace("'", "''")
        copied = self.con.execute(f"copy ({query}) to '{target}' ({form})").fetchone()
        if piece.stat().st_size:  # JSON has no header: no row, no file
            self._count(name, copied[0] if copied else 0)
            with piece.open("rb") as source:
                shutil.copyfileobj(source, self._stream(name), 1 << 20)
        piece.unlink()

    def append_rows(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Adds rows to a Parquet file."""
        self._append_table(name, pa.Table.from_pylist(rows))

    def append_record(self, name: str, record: str) -> None:
        """Adds one record as it stands, sound or not."""
        self._stream(name).write(record.encode() + b"\n")
        self._count(name, 1)

    def _append_table(self, name: str, table: pa.Table) -> None:
        if name not in self._tables:
            writer = pq.ParquetWriter(self.folder / name, table.schema)
            self._tables[name] = self.enter_context(writer)
        self._tables[name].write_table(table)
        self._count(name, table.num_rows)

    def _count(self, name: str, records: int) -> None:
        self.records[name] = self.records.get(name, 0) + records

    def _stream(self, name: str) -> BinaryIO:
        if name not in self._streams:
            stream: BinaryIO = self.enter_context((self.folder / name).open("wb"))
            if name.endswith(".gz"):  # without name and time inside, or reruns would differ
                zipped = gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0)
                stream = cast(BinaryIO, self.enter_context(zipped))
            self._streams[name] = stream
        return self._streams[name]
