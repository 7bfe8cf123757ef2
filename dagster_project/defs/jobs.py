"""The one job: from the landing folder to the published warehouse."""

import dagster as dg

daily_refresh = dg.define_asset_job(
    "daily_refresh",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(["quality", "check_results"]),
    description="Load what has landed, build, check, publish.",
)
