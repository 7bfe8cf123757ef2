"""All checks of a layer, those of dbt too, kept with those of the layers before it."""

from dagster_project.lib.dbt import read_manifest
from dagster_project.lib.expectations.dbt_results import read_dbt_results
from dagster_project.lib.expectations.results import CheckResult, read_results, write_results
from dagster_project.lib.expectations.run import run_checks
from dagster_project.lib.settings import Settings

# Which call of dbt has tested what, when a layer is checked.
DBT_CALLS = {"intermediate": "contract_and_intermediate", "marts": "marts"}


def check_layer(settings: Settings, layer: str, run_id: str) -> list[CheckResult]:
    """Run the expectations of a layer and write the results of the run so far.

    Returns those of this layer's expectations; what failed among dbt's tests has ended the run
    before.
    """
    results = run_checks(settings, layer, run_id)
    known = [result for result in read_results(settings) if result.run_id == run_id]
    if layer in DBT_CALLS:
        target = settings.build_dir / "dbt" / DBT_CALLS[layer]
        known += read_dbt_results(read_manifest(), target, run_id)
    write_results(settings, {result.check_id: result for result in [*known, *results]}.values())
    return results
