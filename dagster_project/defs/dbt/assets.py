"""The two calls of dbt: the contract and what happened, then what it means."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DbtCliResource, dbt_assets

from dagster_project.defs.dbt.project import Translator, dbt_project, manifest_path
from dagster_project.defs.resources import Warehouse, no_retries
from dagster_project.lib.dbt import (
    as_of_date,
    build_arguments,
    check_orders,
    keep_private,
    model_errors,
)
from dagster_project.lib.errors import CheckFailed, RegularsError
from dagster_project.lib.expectations.dbt_results import failed_dbt_tests
from dagster_project.lib.expectations.results import failure_message
from dagster_project.lib.progress import say
from dagster_project.lib.settings import Settings


@dbt_assets(
    manifest=manifest_path,
    project=dbt_project,
    name="contract_and_intermediate",
    select="path:models/staging path:models/intermediate resource_type:seed",
    exclude="path:models/intermediate/predictions",
    dagster_dbt_translator=Translator(),
)
def contract_and_intermediate(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, warehouse: Warehouse
) -> Iterator[Any]:
    say("building the contract and what happened")
    with no_retries():
        yield from _build(context, dbt, warehouse.settings)


@dbt_assets(
    manifest=manifest_path,
    project=dbt_project,
    name="marts",
    select="path:models/intermediate/predictions path:models/marts",
    dagster_dbt_translator=Translator(),
)
def marts(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, warehouse: Warehouse
) -> Iterator[Any]:
    say("building the marts")
    with no_retries():
        yield from _build(context, dbt, warehouse.settings)
        yield from _row_counts(context, warehouse.settings)


def _build(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, settings: Settings
) -> Iterator[Any]:
    target = settings.build_dir / "dbt" / context.op.name
    (target / "run_results.json").unlink(missing_ok=True)
    invocation = dbt.cli(
        build_arguments(), context=context, target_path=target, raise_on_error=False
    )
    yield from invocation.stream()
    keep_private(settings)
    if invocation.process.returncode == 0:
        as_of_date(settings)
        check_orders(settings)
        return
    if errors := model_errors(target):
        raise RegularsError(errors)
    as_of_date(settings)
    raise CheckFailed(failure_message(failed_dbt_tests(settings, target, context.run.run_id)))


def _row_counts(
    context: dg.AssetExecutionContext, settings: Settings
) -> Iterator[dg.AssetObservation]:
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        for key in sorted(context.selected_asset_keys):
            schema, name = key.path
            if name == "fct_check_results":  # a view until it is published
                continue
            row = connection.execute(f'select count(*) from {schema}."{name}"').fetchone()
            assert row is not None
            yield dg.AssetObservation(key, metadata={"dagster/row_count": row[0]})
