"""One Dagster check per table and severity; critical ones block what is downstream."""

from collections.abc import Iterator, Sequence

import dagster as dg

from dagster_project.defs.resources import RETRY_IO, Warehouse, retry_only_io
from dagster_project.lib.errors import CheckFailed
from dagster_project.lib.expectations.layers import check_layer
from dagster_project.lib.expectations.results import CheckResult, failure_message
from dagster_project.lib.expectations.suites import LAYERS, load_suites
from dagster_project.lib.progress import say

SEVERITIES = {"critical": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}


def _asset_key(layer: str, table: str) -> dg.AssetKey:
    return dg.AssetKey(table.split("__", 1) if layer == "raw" else [layer, table])


def _layer_checks(layer: str) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(
            f"{severity}_expectations",
            asset=_asset_key(layer, suite.table),
            blocking=severity == "critical",
            description=f"expectations/{layer}/{suite.table}.yml, those that are {severity}.",
        )
        for suite in load_suites(layer)
        for severity in SEVERITIES
        if any(check.severity == severity for check in suite.checks)
    ]

    @dg.multi_asset_check(specs=specs, name=f"{layer}_checks", retry_policy=RETRY_IO)
    def checks(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse
    ) -> Iterator[dg.AssetCheckResult]:
        say(f"checking the {layer} layer")
        with retry_only_io():
            results = check_layer(warehouse.settings, layer, context.run.run_id)
        for spec in specs:
            severity = spec.name.removesuffix("_expectations")
            yield _verdict(spec, severity, [r for r in results if _belongs(r, spec, severity)])
        if message := failure_message(results):
            with retry_only_io():
                raise CheckFailed(message)

    return checks


def _belongs(result: CheckResult, spec: dg.AssetCheckSpec, severity: str) -> bool:
    key = _asset_key(result.layer, result.table_name)
    return key == spec.asset_key and result.severity == severity


def _verdict(
    spec: dg.AssetCheckSpec, severity: str, results: Sequence[CheckResult]
) -> dg.AssetCheckResult:
    metadata = {
        result.expectation: f"{'held' if result.passed else 'FAILED'}: {result.observed}"
        + (f"; failing rows in {result.failing_rows}" if result.failing_rows else "")
        for result in results
    }
    return dg.AssetCheckResult(
        passed=all(result.passed for result in results),
        asset_key=spec.asset_key,
        check_name=spec.name,
        severity=SEVERITIES[severity],
        metadata=metadata,
    )


layer_checks = [_layer_checks(layer) for layer in LAYERS]
