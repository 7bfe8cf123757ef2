"""The landing folder as typed, counted Parquet: one asset per table of each connector."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.defs.resources import RETRY_IO, Warehouse, retry_only_io
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.intake import run_intake
from dagster_project.lib.intake.ledger import PREVIOUS_COLUMNS
from dagster_project.lib.progress import LOGGER, say
from dagster_project.lib.publish.previous import keep_previous
from dagster_project.lib.settings import parse_date

FILES_KEY = dg.AssetKey(["intake", "files"])
REJECTED_KEY = dg.AssetKey(["intake", "rejected_rows"])
SETTINGS_KEY = dg.AssetKey(["run", "settings"])
PLACEHOLDERS_KEY = dg.AssetKey(["run", "placeholder_emails"])

CONNECTORS = load_connectors()

external_specs = [
    dg.AssetSpec(
        ["quality", "check_results"],
        group_name="raw",
        description="Results of the checks of the run, written as each layer is checked.",
        kinds={"parquet"},
    ),
    dg.AssetSpec(
        ["activation", "contacts"],
        group_name="raw",
        description="Who was in an export of an audience, as `regulars export` records it.",
        kinds={"parquet"},
    ),
]


class IntakeConfig(dg.Config):
    """`as_of`: the date the marts speak of, YYYY-MM-DD; empty: the last date in the data."""

    as_of: str = ""


def _specs() -> list[dg.AssetSpec]:
    tables = [
        dg.AssetSpec(
            [connector.name, entity.name],
            group_name="raw",
            description=f"{entity.name} as {connector.name} delivers them, typed and counted.",
            kinds={"parquet"},
        )
        for connector in CONNECTORS.values()
        for entity in connector.entities
    ]
    own = [
        dg.AssetSpec(FILES_KEY, group_name="raw", description="One row per landed file."),
        dg.AssetSpec(REJECTED_KEY, group_name="raw", description="Records that did not fit."),
        dg.AssetSpec(SETTINGS_KEY, group_name="raw", description="What the run was asked for."),
        dg.AssetSpec(
            PLACEHOLDERS_KEY,
            group_name="raw",
            description="Addresses that are none, hashed.",
        ),
    ]
    return tables + own


@dg.multi_asset(specs=_specs(), name="raw_files", retry_policy=RETRY_IO)
def raw_files(
    context: dg.AssetExecutionContext, config: IntakeConfig, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult[None]]:
    with retry_only_io():
        report = run_intake(
            warehouse.settings,
            as_of=parse_date("as_of", config.as_of),
            run_id=context.run.run_id,
            progress=say,
        )
    totals = {(total.connector, total.entity): total for total in report.entities}
    for held in report.held:
        LOGGER.warning(f"held: {held.reason}")
    for spec in _specs():
        connector, entity = spec.key.path
        counts = totals.get((connector, entity))
        yield dg.MaterializeResult(
            asset_key=spec.key,
            metadata={"dagster/row_count": counts.loaded, "rejected": counts.rejected}
            if counts
            else {},
        )


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["previous", name],
            group_name="raw",
            deps=[SETTINGS_KEY],
            description=f"{name} of the version that readers see while this run is made.",
            kinds={"parquet"},
        )
        for name in PREVIOUS_COLUMNS
    ],
    name="previous_version",
    retry_policy=RETRY_IO,
)
def previous_version(warehouse: Warehouse) -> Iterator[dg.MaterializeResult[None]]:
    with retry_only_io():
        counts = keep_previous(warehouse.settings)
    for name, rows in counts.items():
        yield dg.MaterializeResult(
            asset_key=["previous", name], metadata={"dagster/row_count": rows}
        )
