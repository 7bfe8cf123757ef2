"""Connectors: what a source system's files look like, read from its dbt sources file."""

import codecs
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from dagster_project.lib.errors import InputError
from dagster_project.lib.intake.paths import PATH
from dagster_project.lib.settings import DBT_DIR
from dagster_project.lib.yaml_loader import SafeLoader

CONNECTORS_DIR = DBT_DIR / "models" / "staging" / "connectors"
RULES_VERSION = 3  # to be raised when the meaning of a typing rule changes: everything is read anew
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
DATA_TYPE = re.compile(r"varchar|boolean|bigint|double|date|timestamp|decimal\((\d+),(\d+)\)")


@dataclass(frozen=True)
class Column:
    """A declared column; see docs/connectors.md for what each property means."""

    name: str
    data_type: str
    required: bool = False
    key: bool = False
    event_time: bool = False
    personal: str | None = None
    minimum: float | None = None
    above: float | None = None
    one_of: tuple[str, ...] = ()
    currency: bool = False
    aliases: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    pattern: str | None = None
    date_format: str | tuple[str, ...] = ()
    time_zone: str | None = None

    @property
    def scale(self) -> int:
        match = DATA_TYPE.fullmatch(self.data_type)
        return int(match[2]) if match and match[2] else 0

    @property
    def date_formats(self) -> tuple[str, ...]:
        return (self.date_format,) if isinstance(self.date_format, str) else self.date_format

    @property
    def is_hashed(self) -> bool:
        """Whether a keyed hash stands beside it, by which facts are joined."""
        return self.personal in ("email", "phone")

    @property
    def hash_name(self) -> str:
        return f"{self.name}_hash"

    @property
    def spellings(self) -> set[str]:
        return {folded(spelling) for spelling in (self.name, *self.aliases)}


@dataclass(frozen=True)
class Entity:
    """A table of a source system: which files bring it and which columns they hold."""

    connector: str
    name: str
    files: tuple[str, ...]
    columns: tuple[Column, ...]
    format: str | None = None
    header: bool = True
    delimiter: str | None = None
    encodings: tuple[str, ...] = ("utf-8",)  # tried in order

    def matches(self, path: str) -> bool:
        """Whether a file, by its path in the connector's folder, belongs to this entity."""
        return any(
            _match(candidate, pattern) for candidate in _names(path) for pattern in self.files
        )

    def format_of(self, path: str) -> str | None:
        return self.format or FORMATS.get(_suffix(path))

    def delimiter_of(self, path: str) -> str:
        return self.delimiter or ("\t" if _suffix(path) == ".tsv" else ",")

    @cached_property
    def raw_columns(self) -> dict[str, str]:
        """Name and type of every column of the raw Parquet, in order."""
        hashed = [column.hash_name for column in self.columns if column.is_hashed]
        return {
            **{column.name: column.data_type for column in self.columns},
            **dict.fromkeys(hashed, "varchar"),
            "_file": "varchar",
            "_row": "bigint",
            "_loaded_at": "timestamp",
        }

    def fingerprint(self, time_zone: str, hash_key: str) -> str:
        """Changes whenever the same file would be read differently."""
        key = hashlib.sha256(f"regulars|{hash_key}".encode()).hexdigest()
        text = json.dumps([RULES_VERSION, asdict(self), time_zone, key], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Connector:
    """A source system."""

    name: str
    title: str
    entities: tuple[Entity, ...]

    def entity_of(self, path: str) -> Entity | None:
        """The first entity whose patterns match a file's path in the connector's folder."""
        return next((entity for entity in self.entities if entity.matches(path)), None)


def load_connectors(folder: Path = CONNECTORS_DIR) -> dict[str, Connector]:
    """Every connector of the project by name. Raises InputError on a description not usable."""
    paths = sorted(folder.glob("*/_*__sources.yml"))
    return {connector.name: connector for path in paths for connector in _read(path)}


def folded(spelling: str) -> str:
    """The form in which column names are compared."""
    return spelling.strip().casefold()


def _read(path: Path) -> Iterator[Connector]:
    for source in yaml.load(path.read_text(encoding="utf-8"), SafeLoader)["sources"]:
        meta = _meta(source)
        try:
            entities = tuple(_entity(source["name"], meta, table) for table in source["tables"])
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(f"{path}: the description cannot be used: {error}") from error
        yield Connector(source["name"], meta.get("title", source["name"]), entities)


def _entity(connector: str, source: dict[str, Any], table: dict[str, Any]) -> Entity:
    meta = _meta(table)
    encodings = meta.get("encoding", source.get("encoding", "utf-8"))
    encodings = (encodings,) if isinstance(encodings, str) else tuple(encodings)
    for encoding in encodings:
        codecs.lookup(encoding)
    return Entity(
        connector=connector,
        name=table["name"],
        files=tuple(meta["files"]),
        columns=tuple(_column(column) for column in table["columns"]),
        format=meta.get("format"),
        header=meta.get("header", True),
        delimiter=meta.get("delimiter", source.get("delimiter")),
        encodings=encodings,
    )


def _column(column: dict[str, Any]) -> Column:
    data_type = column["data_type"].replace(" ", "").lower()
    if not DATA_TYPE.fullmatch(data_type):
        raise ValueError(f"column {column['name']} has the unknown data_type {data_type}")
    meta: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in _meta(column).items()
    }
    if wrong := [path for path in meta.get("paths", ()) if not PATH.fullmatch(path)]:
        raise ValueError(f"column {column['name']} has paths that cannot be read: {wrong}")
    return Column(column["name"], data_type, **meta)


def _meta(described: dict[str, Any]) -> dict[str, Any]:
    return dict(described.get("config", {}).get("meta", {}))


def _suffix(path: str) -> str:
    return Path(path.lower().removesuffix(".gz")).suffix


def _names(path: str) -> set[str]:
    """A path as patterns may spell it: with and without .gz and the extension of its format."""
    plain = path.casefold().removesuffix(".gz")
    suffix = _suffix(path)
    return {plain, plain.removesuffix(suffix) if suffix in FORMATS else plain}


def _match(path: str, pattern: str) -> bool:
    parts, patterns = path.split("/"), pattern.casefold().split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))
