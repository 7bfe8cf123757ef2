"""The one job: from the landing folder to the published warehouse."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

daily_refresh = dg.define_asset_job(
    "daily_refresh",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(["quality", "check_results"]),
    description="Load what has landed, build, check, publish.",
)

# Runs of `regulars run` say for themselves that they have failed.
BY_COMMAND_LINE = {"regulars/started_by": "command line"}


BACKFILL = {"published__warehouse": {"config": {"make_current": False}}}


def run_config(as_of: date | None, *, make_current: bool = True) -> dict[str, Any]:
    """Without as_of, of the last date in the data."""
    raw_files = {"config": {"as_of": as_of.isoformat() if as_of else ""}}
    return {"ops": {"raw_files": raw_files, **({} if make_current else BACKFILL)}}


def is_backfill(run_config: Mapping[str, Any]) -> bool:
    ops: dict[str, Any] = run_config.get("ops", {})
    return BACKFILL.items() <= ops.items()
