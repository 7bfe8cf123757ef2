"""The connector of the synthetic shop: it describes the files as written and meets the contract."""

import csv
import gzip
import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml

from dagster_project.lib.demo import write_shop
from dagster_project.lib.settings import DBT_DIR

CONNECTORS = DBT_DIR / "models" / "staging" / "connectors"


def tables(connector: str) -> dict[str, dict[str, Any]]:
    text = (CONNECTORS / connector / f"_{connector}__sources.yml").read_text()
    return {table["name"]: table for table in yaml.safe_load(text)["sources"][0]["tables"]}


def output(connector: str, entity: str) -> list[tuple[str, str]]:
    """Columns and types of a base model over the raw table as described."""
    source = re.search(
        r"""source\(['"]\w+['"], ['"](\w+)['"]\)""",
        sql := (CONNECTORS / connector / f"base_{connector}__{entity}.sql").read_text(),
    )
    assert source is not None
    columns = []
    for column in tables(connector)[source[1]]["columns"]:
        columns.append(f'"{column["name"]}" {column["data_type"]}')
        if column.get("config", {}).get("meta", {}).get("personal") in ("email", "phone"):
            columns.append(f'"{column["name"]}_hash" varchar')
    with duckdb.connect() as con:
        con.execute(f"create table raw ({', '.join(columns)}, _file varchar, _row bigint)")
        relation = con.sql(re.sub(r"{{.*?}}", "raw", sql))
        return [
            (name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)
        ]


@pytest.mark.parametrize(
    "entity",
    sorted(p.stem.split("__")[1] for p in (CONNECTORS / "demo").glob("base_demo__*.sql")),
)
def test_base_model_meets_the_contract(entity: str) -> None:
    assert output("demo", entity) == output("files", entity)


def header(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return list(pq.read_schema(path).names)
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        first = next(file)
    return list(json.loads(first)) if path.suffix == ".jsonl" else next(csv.reader([first]))


def test_every_file_is_described(tmp_path: Path) -> None:
    write_shop(tmp_path, customers=500, days=60)
    described = tables("demo")
    for path in (tmp_path / "demo").iterdir():
        name = path.name.removesuffix(".gz")
        matching = [
            entity
            for entity, table in described.items()
            if any(fnmatch(name, pattern) for pattern in table["config"]["meta"]["files"])
        ]
        assert len(matching) == 1, path.name
        columns = [column["name"] for column in described[matching[0]]["columns"]]
        assert header(path) == columns, path.name


def test_states_and_kinds_are_described(tmp_path: Path) -> None:
    write_shop(tmp_path, customers=500, days=60)
    described = {column["name"]: column for column in tables("demo")["orders"]["columns"]}
    words = set(described["state"]["config"]["meta"]["one_of"])
    with duckdb.connect() as con:
        states = con.sql(f"select distinct state from '{tmp_path}/demo/orders_*.csv'").fetchall()
    assert {state for (state,) in states} - {"teleported"} == words
