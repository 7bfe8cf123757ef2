"""Metrics as MetricFlow computes them, asked of a published warehouse."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.semantic_manifest import SemanticManifest
from dbt.parser.manifest import extended_mashumuro_decoder
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import (
    parse_manifest_from_dbt_generated_manifest,
)
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from dagster_project.lib.dbt import PARSED_FILE, prepare_manifest
from dagster_project.lib.publish.query import run_query
from dagster_project.lib.settings import load_settings


class Renderer:
    """All that MetricFlow needs of an engine to write its SQL."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()


@cache
def engine() -> MetricFlowEngine:
    prepare_manifest()
    project = Manifest.from_msgpack(PARSED_FILE.read_bytes(), decoder=extended_mashumuro_decoder)
    semantic = SemanticManifest(project)._get_pydantic_semantic_manifest()
    lookup = SemanticManifestLookup(parse_manifest_from_dbt_generated_manifest(semantic.json()))
    return MetricFlowEngine(lookup, Renderer())  # type: ignore[arg-type]


def metrics() -> set[str]:
    return {metric.name for metric in engine().list_metrics()}


def ask(
    warehouse: Path, names: Sequence[str], by: Sequence[str] = (), where: str | None = None
) -> list[tuple[Any, ...]]:
    """The answer of a published warehouse, sorted: what is grouped by, then the metrics."""
    request = MetricFlowQueryRequest.create(
        metric_names=names, group_by_names=by, where_constraints=[where] if where else None
    )
    statement = engine().explain(request).sql_statement.sql
    published = statement.replace('"build"."marts".', "marts.")
    columns = ", ".join([*by, *names])
    answer = run_query(
        load_settings(warehouse=warehouse), f"select {columns} from ({published}) order by all"
    )
    return answer.fetchall()
