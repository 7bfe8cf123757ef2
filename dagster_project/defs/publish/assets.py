"""The last steps: what passed every check becomes what readers see, and the report on it."""

import dagster as dg

from dagster_project.defs.dbt.assets import marts
from dagster_project.defs.dbt.project import FRESH_FOR
from dagster_project.defs.resources import Warehouse, no_retries
from dagster_project.lib.dbt import as_of_date, mart_descriptions
from dagster_project.lib.progress import LOGGER, say
from dagster_project.lib.publish.generations import publish
from dagster_project.lib.report.write import cannot_write, write_report
from dagster_project.lib.settings import load_settings

REPORT_RETRIES = 2


@dg.asset(
    key=["published", "warehouse"],
    group_name="published",
    deps=[key for key in marts.keys if key.path[0] == "marts"],
    kinds={"duckdb"},
    freshness_policy=FRESH_FOR,
    description="The marts as a read-only DuckDB file: published/current/warehouse.duckdb.",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def published_warehouse(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult[None]:
    settings = warehouse.settings
    say("publishing")
    with no_retries():
        publication = publish(
            settings,
            run_id=context.run.run_id,
            as_of=as_of_date(settings),
            descriptions=mart_descriptions(),
        )
    return dg.MaterializeResult(
        metadata={
            "generation": publication.generation,
            "as_of": publication.as_of.isoformat(),
            "file": dg.MetadataValue.path(publication.file),
            "tables": len(publication.rows),
            "dagster/row_count": sum(publication.rows.values()),
        }
    )


@dg.asset(
    key=["published", "postgres"],
    group_name="published",
    deps=[published_warehouse],
    kinds={"postgres"},
    freshness_policy=FRESH_FOR,
    description="The published version in the schemas marts and meta of a PostgreSQL database.",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def published_postgres(warehouse: Warehouse) -> dg.MaterializeResult[None]:
    with no_retries():
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
    description="The report on the published version: report.html, a page for a browser.",
    retry_policy=dg.RetryPolicy(max_retries=REPORT_RETRIES, delay=5),
    op_tags={"dagster/priority": "-1"},  # what stops at the first failure has done the rest
)
def published_report(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult[None]:
    say("writing the report")
    with no_retries():
        try:
            file = write_report(warehouse.settings)
        except OSError as error:
            if context.retry_number < REPORT_RETRIES:
                raise
            raise cannot_write(error) from error
    return dg.MaterializeResult(
        metadata={"file": dg.MetadataValue.path(file), "bytes": file.stat().st_size}
    )


ASSETS = [published_warehouse, published_report]
if load_settings().postgres_url:
    ASSETS.append(published_postgres)
