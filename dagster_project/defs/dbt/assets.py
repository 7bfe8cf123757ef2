"""The two calls of dbt: the contract and what happened, then what it means."""

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from dagster_project.defs.dbt.project import Translator, dbt_project, manifest_path
from dagster_project.defs.jobs import is_backfill
from dagster_project.defs.resources import (
    RETRY_IO,
    Warehouse,
    figure_metadata,
    retry_only_io,
)
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
from dagster_project.lib.figures import telling_figures
from dagster_project.lib.progress import say
from dagster_project.lib.settings import Settings


@dbt_assets(
    manifest=manifest_path,
    project=dbt_project,
    name="contract_and_intermediate",
    select="path:models/staging path:models/intermediate resource_type:seed",
    exclude="path:models/intermediate/predictions",
    dagster_dbt_translator=Translator(),
    retry_policy=RETRY_IO,
)
def contract_and_intermediate(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, warehouse: Warehouse
) -> Iterator[Any]:
    say("building the contract and what happened")
    with retry_only_io():
        yield from _build(context, dbt, warehouse.settings)


@dbt_assets(
    manifest=manifest_path,
    project=dbt_project,
    name="marts",
    select="path:models/intermediate/predictions path:models/marts",
    dagster_dbt_translator=Translator(),
    retry_policy=RETRY_IO,
)
def marts(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, warehouse: Warehouse
) -> Iterator[Any]:
    say("building the marts")
    with retry_only_io():
        # What was said of the past would stand among the figures of today.
        with_figures = not is_backfill(context.run.run_config)
        yield from _build(context, dbt, warehouse.settings, with_figures)


def _build(
    context: dg.AssetExecutionContext,
    dbt: DbtCliResource,
    settings: Settings,
    with_figures: bool = False,
) -> Iterator[Any]:
    target = settings.build_dir / "dbt" / context.op.name
    (target / "run_results.json").unlink(missing_ok=True)
    invocation = dbt.cli(
        build_arguments(), context=context, target_path=target, raise_on_error=False
    )
    if with_figures:
        # Tables can be read when dbt has let go of the file.
        events = list(invocation.stream())
        yield from _with_figures(context, settings, events)
    else:
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


def _with_figures(
    context: dg.AssetExecutionContext, settings: Settings, events: Iterable[Any]
) -> Iterator[Any]:
    """The events of dbt, those of built tables with what is to be seen of them over time."""
    outputs = {
        event.output_name: context.asset_key_for_output(event.output_name).path[-1]
        for event in events
        if isinstance(event, dg.Output)
    }
    # Nothing can be asked of the results of checks before they are published.
    marts = {name for name in outputs.values() if name.startswith(("dim_", "fct_"))}
    figures = telling_figures(settings.build_file, marts - {"fct_check_results"})
    for event in events:
        if isinstance(event, dg.Output) and outputs[event.output_name] in figures:
            found = figures[outputs[event.output_name]]
            yield event.with_metadata({**event.metadata, **figure_metadata(found)})
        else:
            yield event
