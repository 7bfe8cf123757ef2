"""The fit of the purchase and value models, between what happened and what it means."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.defs.resources import RETRY_IO, Warehouse, retry_only_io
from dagster_project.lib.ltv.predict import predict
from dagster_project.lib.ltv.tables import LTV_COLUMNS
from dagster_project.lib.progress import say

DESCRIPTIONS = {
    "models": "Fitted models with their parameters, and why one must not predict.",
    "backtests": "What models and naive rivals said at past cut-offs, and what came.",
    "gains": "What each model gained on each other at past cut-offs.",
    "purchases": "Expected purchases of everybody with the same history.",
    "values": "Parameters of the expected value per purchase, by number of valued repeats.",
    "totals": "Expected sales of the shop and of each cohort, with bounds.",
    "value_auc": "Whether lovers have brought more than lurkers, with bounds, by month.",
}


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["ltv", name],
            group_name="ltv",
            deps=[
                ["intermediate", "int_ltv__histories"],
                ["intermediate", "int_ltv__customers"],
                ["intermediate", "int_purchases__occasions"],
                ["intermediate", "int_advocacy__value_counts"],
                ["intermediate", "int_run__settings"],
            ],
            description=DESCRIPTIONS[name],
            kinds={"parquet", "scipy"},
        )
        for name in LTV_COLUMNS
    ],
    name="ltv_models",
    retry_policy=RETRY_IO,
)
def ltv_models(warehouse: Warehouse) -> Iterator[dg.MaterializeResult[None]]:
    say("fitting the models of lifetime value")
    with retry_only_io():
        counts = predict(warehouse.settings)
    for name, rows in counts.items():
        yield dg.MaterializeResult(asset_key=["ltv", name], metadata={"dagster/row_count": rows})
