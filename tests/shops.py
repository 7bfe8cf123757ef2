"""Shops for tests: landing folders written by hand, and ways to run them.

`refresh` is the product's own command in a process of its own. `rebuild_by_dbt` runs the same
intake, dbt models and publication in this process, without Dagster and checks. `rebuild` does so
from nothing and executes by itself what dbt has compiled: it takes two seconds, for tests that need
many builds and not what dbt keeps from one to the next; with `marts`, no model but those that these
are made of, for shops that are too large to know all about them, or asked for little.
"""

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumaro_encoder, extended_mashumuro_decoder

from dagster_project.lib.dbt import PARSED_FILE, as_of_date, prepare_manifest
from dagster_project.lib.intake import intake, ledger
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.intake import run_intake
from dagster_project.lib.intake.worker import Worker
from dagster_project.lib.ltv.inputs import TABLES
from dagster_project.lib.ltv.predict import predict
from dagster_project.lib.publish.generations import publish
from dagster_project.lib.publish.previous import keep_previous
from dagster_project.lib.publish.query import connect_published
from dagster_project.lib.settings import DBT_DIR, Settings, load_settings

REAL_DATA = os.environ.get("REGULARS_REAL_DATA")
KEY = "0123456789abcdef"
AFTER_THE_FIT = ("path:models/intermediate/predictions", "path:models/marts")


def environment(**given: str) -> dict[str, str]:
    """This process's environment without settings of its own, with those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGULARS_")}
    return {**clean, "REGULARS_HASH_KEY": KEY, "COLUMNS": "200", **given}


def regulars(
    *arguments: object, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "dagster_project.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(**env),
        timeout=300,
    )


def refresh(
    landing: Path, warehouse: Path, *arguments: object, **env: str
) -> subprocess.CompletedProcess[str]:
    """`regulars run`, which must succeed."""
    result = regulars("run", "--landing", landing, "--warehouse", warehouse, *arguments, **env)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@cache
def _parsed(command: str) -> bytes:
    """The project as dbt has parsed it; but for the command `test` without its tests, of which
    there are more than models: dbt would weigh them in its graph only to leave them out."""
    prepare_manifest()
    parsed = PARSED_FILE.read_bytes()
    if command == "test":
        return parsed
    manifest = Manifest.from_msgpack(parsed, decoder=extended_mashumuro_decoder)
    for name in [name for name in manifest.nodes if name.startswith("test.")]:
        del manifest.nodes[name]
    manifest.unit_tests.clear()
    without_tests: bytes = manifest.to_msgpack(extended_mashumaro_encoder)
    return without_tests


def settings_of(landing: Path, warehouse: Path, **given: Any) -> Settings:
    return load_settings(landing=landing, warehouse=warehouse, hash_key=KEY, **given)


class KeptWorker(Worker):
    """One for many runs: a process takes longer to start than most runs of a test last."""

    def __exit__(self, *_: object) -> None:
        pass


WORKER = KeptWorker()  # ends with this process
CONNECTORS = cache(load_connectors)


def take_in(settings: Settings, as_of: date | None) -> None:
    """The intake, with a worker that it finds running and descriptions that it has read; what it
    writes need not outlive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "Worker", lambda: WORKER)
        patch.setattr(intake, "load_connectors", CONNECTORS)
        patch.setattr(ledger, "_sync", lambda path: None)
        run_intake(settings, as_of=as_of, run_id="test")


def rebuild_by_dbt(
    settings: Settings, *, as_of: date | None = None, marts: Sequence[str] = ()
) -> Settings:
    """Intake, dbt and publication in this process; returns the settings, for `rows`. If marts are
    given, of these alone, and without predictions."""
    take_in(settings, as_of)
    keep_previous(settings)
    if marts:
        dbt(settings, "build", "--select", *(f"+{mart}" for mart in (*marts, "int_intake__files")))
    else:
        dbt(settings, "build", "--exclude", *AFTER_THE_FIT)
        predict(settings)
        dbt(settings, "build", "--select", *AFTER_THE_FIT)
    publish(settings, run_id="test", as_of=as_of_date(settings))
    return settings


def rebuild(
    settings: Settings,
    *,
    as_of: date | None = None,
    on_seeds: Iterable[str] = (),
    marts: Sequence[str] = (),
    with_predictions: bool = False,
) -> Settings:
    """The same, of an empty build and by the compiled SQL of each model; before them by statements
    that change the seeds. If marts are given, of these alone, and with predictions where asked."""
    take_in(settings, as_of)
    keep_previous(settings)
    seeds, models = _compiled()
    settings.build_file.unlink(missing_ok=True)
    settings.build_file.write_bytes(seeds)
    _execute(settings, on_seeds)
    if marts:
        models = _made_of((*marts, *(TABLES if with_predictions else ())), models)
    _execute(settings, _statements(model for model in models if not model.is_after_the_fit))
    if with_predictions or not marts:
        predict(settings)
    _execute(settings, _statements(model for model in models if model.is_after_the_fit))
    publish(settings, run_id="test", as_of=as_of_date(settings))
    return settings


@dataclass(frozen=True)
class _Model:
    name: str
    parents: frozenset[str]
    relation: str | None  # what it builds, if it is not part of what others build
    query: str
    is_after_the_fit: bool


def _statements(models: Iterable[_Model]) -> list[str]:
    return [f"create {model.relation} as {model.query}" for model in models if model.relation]


def queries_of_tables() -> dict[str, str]:
    """The compiled SQL of each model that is built as a table."""
    models = [model for model in _compiled()[1] if (model.relation or "").startswith("table")]
    return {model.name: model.query for model in models}


def _execute(settings: Settings, statements: Iterable[str]) -> None:
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(f"set file_search_path = '{settings.raw_dir}'")
        connection.execute("set TimeZone = 'UTC'")
        for statement in statements:
            connection.execute(statement)


def _made_of(marts: Sequence[str], models: Sequence[_Model]) -> list[_Model]:
    """Those models and what they read, in order."""
    needed = {*marts, "int_intake__files"}  # which the date of the build is read with
    for model in reversed(models):
        if model.name in needed:
            needed |= model.parents
    return [model for model in models if model.name in needed]


@cache
def _compiled() -> tuple[bytes, list[_Model]]:
    """A database file that holds the seeds and schemas; the models to build on it, in order."""
    with tempfile.TemporaryDirectory() as own:
        settings = settings_of(Path(own), Path(own))
        settings.build_dir.mkdir()
        dbt(settings, "seed")
        results = dbt(settings, "compile", "--full-refresh", "--select", "resource_type:model")
        nodes = {result.node.unique_id: result.node for result in results}
        with duckdb.connect(str(settings.build_file)) as connection:
            for schema in {node.schema for node in nodes.values()}:
                connection.execute(f"create schema if not exists {schema}")
        seeds = settings.build_file.read_bytes()
    parents = {name: nodes.keys() & set(node.depends_on_nodes) for name, node in nodes.items()}
    kinds = {"table": "table", "incremental": "table", "view": "view"}
    models = []
    for name in TopologicalSorter(parents).static_order():
        node, relation = nodes[name], None
        if kind := kinds.get(node.config.materialized):
            relation = f"{kind} {node.relation_name}"
        columns = ", ".join(node.columns) if node.contract.enforced else "*"
        query = f"select {columns} from ({node.compiled_code}\n)"
        read = frozenset(nodes[parent].name for parent in parents[name])
        is_after = "predictions" in node.fqn or "marts" in node.fqn
        models.append(_Model(node.name, read, relation, query, is_after))
    return seeds, models


def dbt(settings: Settings, command: str, *arguments: str) -> list[Any]:
    """A dbt command on the build of a warehouse, which must succeed; its result for each node.

    `build` builds, and `test` tests.
    """
    target = str(settings.build_dir / "dbt" / "test")
    folders = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR)]
    silent = ["--log-level", "none", "--log-level-file", "none"]
    outputs = ["--target-path", target, "--no-write-json", *silent]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGULARS_WAREHOUSE", str(settings.warehouse))
        # With a manifest in hand dbt does not parse again; it leaves what it compiled in it.
        manifest = Manifest.from_msgpack(_parsed(command), decoder=extended_mashumuro_decoder)
        manifest.build_flat_graph()
        runner = dbtRunner(manifest=manifest)
        result = runner.invoke([command, *arguments, *folders, *outputs])
        DuckDBConnectionManager.close_all_connections()
    failed = [
        f"{outcome.node.name}: {outcome.message}"
        for outcome in (result.result or [])
        if outcome.status in ("error", "fail")
    ]
    assert result.success, failed or result.exception
    return list(result.result)


def rows(settings: Settings | Path, sql: str) -> list[tuple[Any, ...]]:
    """The answer of the published warehouse."""
    if isinstance(settings, Path):
        settings = load_settings(warehouse=settings)
    with connect_published(settings) as connection:
        return connection.execute(sql).fetchall()


def contents(settings: Settings | Path, *, without: Iterable[str] = ()) -> dict[str, list[str]]:
    """Every row of every mart as text, sorted: what two equal warehouses have in common."""
    listing = "select table_name from information_schema.tables where table_schema = 'marts'"
    tables = sorted(name for (name,) in rows(settings, listing))
    left_out = {
        "fct_check_results",
        "fct_intake_files",
        "fct_rejected_rows",
        "fct_reconciliation",
        "fct_restatements",
        *without,
    }
    return {
        table: sorted(map(repr, rows(settings, f"from marts.{table}")))
        for table in tables
        if table not in left_out
    }


def write_csv(path: Path, lines: Sequence[Mapping[str, object]]) -> Path:
    """A CSV file with the columns of its first line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]), restval="")
        writer.writeheader()
        writer.writerows(lines)
    return path


def raw(settings: Settings, connector: str, entity: str) -> list[tuple[Any, ...]]:
    """Rows of a raw table."""
    folder = settings.raw_dir / connector / entity
    return duckdb.sql(f"from read_parquet('{folder}/*.parquet')").fetchall()
