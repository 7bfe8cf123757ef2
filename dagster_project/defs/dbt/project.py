"""The dbt project as Dagster sees it: its manifest, and the names of its assets."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject

from dagster_project.lib.dbt import MANIFEST_FILE, prepare_manifest
from dagster_project.lib.settings import DBT_DIR

prepare_manifest()
dbt_project = DbtProject(project_dir=DBT_DIR, profiles_dir=DBT_DIR)
manifest_path = MANIFEST_FILE

# A daily run that fails once leaves the marts a day older; two in a row should be seen.
FRESH_FOR = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
)


class Translator(DagsterDbtTranslator):
    """Assets are grouped by layer; keys are those of dbt: schema and name."""

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        properties = self.get_resource_props(manifest, unique_id)
        layer = properties["fqn"][1] if properties["resource_type"] == "model" else "seeds"
        spec = spec.replace_attributes(group_name=layer)
        return spec.replace_attributes(freshness_policy=FRESH_FOR) if layer == "marts" else spec
