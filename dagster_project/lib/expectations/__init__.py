"""Checks of the data on every layer: Great Expectations inside DuckDB, dbt's tests beside them."""

import os

os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read by Great Expectations when it is imported
