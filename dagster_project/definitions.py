"""What Dagster knows of the warehouse; the `regulars` command loads the same."""

import dagster as dg

from dagster_project.defs import jobs, resources, schedules, sensors
from dagster_project.defs.dbt import assets as dbt_assets
from dagster_project.defs.ltv import assets as ltv_assets
from dagster_project.defs.publish import assets as publish_assets
from dagster_project.defs.quality import checks
from dagster_project.defs.raw import assets as raw_assets

defs = dg.Definitions(
    assets=[
        raw_assets.raw_files,
        raw_assets.previous_version,
        *raw_assets.external_specs,
        dbt_assets.contract_and_intermediate,
        ltv_assets.ltv_models,
        dbt_assets.marts,
        *publish_assets.ASSETS,
    ],
    asset_checks=checks.layer_checks,
    jobs=[jobs.daily_refresh],
    schedules=[schedules.every_morning],
    sensors=[sensors.landing_folder, sensors.failed_run],
    resources=resources.RESOURCES,
    executor=dg.in_process_executor,
)
