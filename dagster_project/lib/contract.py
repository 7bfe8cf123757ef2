"""The contract as the dbt files state it, for people: docs/contract.md and `regulars doctor`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dagster_project.lib.dbt import read_manifest
from dagster_project.lib.intake.connectors import Column, load_connectors
from dagster_project.lib.settings import PROJECT_ROOT

CONTRACT_FILE = PROJECT_ROOT / "docs" / "contract.md"
MARKER = "<!-- From here on written by `make docs` from the dbt files. -->"


@dataclass(frozen=True)
class ContractColumn:
    column: Column
    description: str

    @property
    def rules(self) -> str:
        """What a value must be, beyond its type."""
        column = self.column
        rules = [
            "required" if column.required else "",
            "part of the key" if column.key else "",
            f"at least {column.minimum:g}" if column.minimum is not None else "",
            f"above {column.above:g}" if column.above is not None else "",
            "one of " + ", ".join(f"`{value}`" for value in column.one_of) if column.one_of else "",
            "three capital letters" if column.currency else "",
            "not later than a day after the file arrives" if column.event_time else "",
        ]
        return "; ".join(rule for rule in rules if rule)


@dataclass(frozen=True)
class ContractEntity:
    """`fed_by` holds (connector, table) of every raw table that its base models read."""

    name: str
    description: str
    enables: str
    columns: tuple[ContractColumn, ...]
    fed_by: frozenset[tuple[str, str]]


def contract() -> list[ContractEntity]:
    """The entities in the order of the connector `files`, which is the contract itself."""
    manifest = read_manifest()
    entities = []
    for raw in load_connectors()["files"].entities:
        model = manifest["nodes"][f"model.regulars.stg_{raw.name}"]
        source = manifest["sources"][f"source.regulars.files.{raw.name}"]
        described = {
            name.removesuffix("_hash"): column["description"]
            for table in (source, model)
            for name, column in table["columns"].items()
        }
        columns = tuple(ContractColumn(column, described[column.name]) for column in raw.columns)
        description = " ".join(model["description"].split(". ", 1)[1].split())
        enables = model["config"]["meta"]["enables"]
        bases = [
            node
            for node in manifest["nodes"].values()
            if node["name"].startswith("base_") and node["name"].endswith(f"__{raw.name}")
        ]
        fed_by = frozenset(table for base in bases for table in _raw_tables(manifest, base))
        entities.append(ContractEntity(raw.name, description, enables, columns, fed_by))
    return entities


def _raw_tables(manifest: dict[str, Any], model: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for parent in model["depends_on"]["nodes"]:
        if parent.startswith("source."):
            connector, table = parent.split(".")[-2:]
            yield connector, table
        elif parent.split(".")[-1].startswith("base_"):
            yield from _raw_tables(manifest, manifest["nodes"][parent])


def render() -> str:
    """docs/contract.md: what is written there by hand, then the entities."""
    introduction = CONTRACT_FILE.read_text(encoding="utf-8").partition(MARKER)[0].rstrip()
    parts = [introduction, MARKER]
    for entity in contract():
        parts.append(f"## {entity.name}\n\n{entity.description} Makes possible: {entity.enables}.")
        rows = ["| column | type | what it holds | rules |", "|---|---|---|---|"]
        for item in entity.columns:
            cells = (f"`{item.column.name}`", item.column.data_type, item.description, item.rules)
            rows.append(f"| {' | '.join(cells)} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"
