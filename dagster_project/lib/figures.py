"""The one figure of each mart that tells most, to be seen over time beside its row count."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.lib.dbt import read_manifest


@dataclass(frozen=True)
class TellingFigure:
    """`value` is None where the mart has none yet."""

    rows: int
    name: str
    value: float | None


def telling_figures(file: Path, marts: Collection[str]) -> dict[str, TellingFigure]:
    """Of these marts in a DuckDB file, by one query; what is asked stands in the meta of each."""
    if not marts:
        return {}
    declared = {
        node["name"]: node["config"]["meta"]["telling_figure"]
        for node in read_manifest()["nodes"].values()
        if node["resource_type"] == "model" and node["name"] in marts
    }
    queries = [
        f"select '{mart}', '{name}', count(*), cast({sql} as double) from marts.{mart}"
        for mart, figure in declared.items()
        for name, sql in figure.items()
    ]
    with duckdb.connect(str(file), read_only=True) as connection:
        found = connection.execute(" union all ".join(queries)).fetchall()
    return {
        mart: TellingFigure(
            rows, name, value if value is not None and math.isfinite(value) else None
        )
        for mart, name, rows, value in found
    }
