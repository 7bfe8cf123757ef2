"""The last steps: what passed every check becomes what readers see, and the report on it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_project.defs.dbt.assets import marts
from dagster_project.defs.dbt.project import FRESH_FOR
from dagster_project.defs.resources import (
    RETRY_IO,
    Warehouse,
    figure_metadata,
    retry_only_io,
)
from dagster_project.lib.dbt import as_of_date, mart_descriptions
from dagster_project.lib.figures import telling_figures
from dagster_project.lib.progress import LOGGER, say
from dagster_project.lib.publish.generations import publish
from dagster_project.lib.report.write import write_report
from dagster_project.lib.settings import load_settings

KEY = dg.AssetKey(["published", "warehouse"])
CHECK_RESULTS = "fct_check_results"


class PublishConfig(dg.Config):
    """`make_current`: whether readers see it at once; else it is kept beside, for its as_of."""

    make_current: bool = True


@dg.asset(
    key=KEY,
    group_name="published",
    deps=[key for key in marts.keys if key.path[0] == "marts"],
    kinds={"duckdb"},
    freshness_policy=FRESH_FOR,
    description="The marts as a read-only DuckDB file: published/current/warehouse.duckdb.",
    retry_policy=RETRY_IO,
    output_required=False,
)
def published_warehouse(
    context: dg.AssetExecutionContext, config: PublishConfig, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult[None] | dg.AssetObservation]:
    settings = warehouse.settings
    say("publishing")
    with retry_only_io():
        publication = publish(
            settings,
            run_id=context.run.run_id,
            as_of=as_of_date(settings),
            descriptions=mart_descriptions(),
            make_current=config.make_current,
        )
    metadata: dict[str, Any] = {
        "generation": publication.generation,
        "as_of": publication.as_of.isoformat(),
        "file": dg.MetadataValue.path(publication.file),
        "tables": len(publication.rows),
        "dagster/row_count": sum(publication.rows.values()),
    }
    if not config.make_current:  # what readers see by default is as old as before
        yield dg.AssetObservation(KEY, metadata=metadata)
        return
    with retry_only_io():
        checks = telling_figures(publication.file, [CHECK_RESULTS])[CHECK_RESULTS]
    yield dg.AssetObservation(["marts", CHECK_RESULTS], metadata=figure_metadata(checks))
    yield dg.MaterializeResult(metadata=metadata)


@dg.asset(
    key=["published", "postgres"],
    group_name="published",
    deps=[published_warehouse],
    kinds={"postgres"},
    freshness_policy=FRESH_FOR,
    description="The published version in the schemas marts and meta of a PostgreSQL database.",
    retry_policy=RETRY_IO,
)
def published_postgres(warehouse: Warehouse) -> dg.MaterializeResult[None]:
    with retry_only_io():
        from dagster_project.lib.publish.postgres import publish_to_postgres

        publication = publish_to_postgres(warehouse.settings, say)
    for sentence in publication.warnings:
        LOGGER.warning(sentence)
    return dg.MaterializeResult(
        metadata={
            "generation": publication.generation,
            "tables": len(publication.rows),
            "dagster/row_count": sum(publication.rows.values()),
            "warnings": "\n".join(publication.warnings),
        }
    )


@dg.asset(
    key=["published", "report"],
    group_name="published",
    deps=[published_warehouse],
    kinds={"html"},
    freshness_policy=FRESH_FOR,
    description="The report on the published version: report.html, a page for a browser.",
    retry_policy=RETRY_IO,
    op_tags={"dagster/priority": "-1"},  # what stops at the first failure has done the rest
)
def published_report(warehouse: Warehouse) -> dg.MaterializeResult[None]:
    say("writing the report")
    with retry_only_io():
        file = write_report(warehouse.settings)
    return dg.MaterializeResult(
        metadata={"file": dg.MetadataValue.path(file), "bytes": file.stat().st_size}
    )


ASSETS = [published_warehouse, published_report]
if load_settings().postgres_url:
    ASSETS.append(published_postgres)
