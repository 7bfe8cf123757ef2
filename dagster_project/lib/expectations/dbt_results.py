"""dbt's data tests as check results, from what dbt leaves in its target folder."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.lib.dbt import read_manifest
from dagster_project.lib.expectations.results import CheckResult, first_line, keep_failing_rows
from dagster_project.lib.settings import Settings

NOT_RUN = "not run: what it tests was not built"
_ORDER = ("raw", "seeds", "staging", "intermediate", "marts")


def read_dbt_results(
    manifest: Mapping[str, Any], target_dir: Path, run_id: str
) -> list[CheckResult]:
    """The data tests of dbt's last call; its unit tests test the code and are left out."""
    run = json.loads((target_dir / "run_results.json").read_text(encoding="utf-8"))
    return [
        _result(manifest, manifest["nodes"][outcome["unique_id"]], outcome, run_id)
        for outcome in run["results"]
        if outcome["unique_id"].startswith("test.")
    ]


def failed_dbt_tests(settings: Settings, target_dir: Path, run_id: str) -> list[CheckResult]:
    """The critical data tests that failed in dbt's last call, with the rows that they found.

    Those that were not run, for what they test was not built, are left out.
    """
    run = json.loads((target_dir / "run_results.json").read_text(encoding="utf-8"))
    queries = {
        outcome["unique_id"].split(".")[2]: outcome.get("compiled_code") or ""
        for outcome in run["results"]
        if outcome["unique_id"].startswith("test.")
    }
    failed = []
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        for result in read_dbt_results(read_manifest(), target_dir, run_id):
            if result.passed or result.severity != "critical" or result.observed == NOT_RUN:
                continue
            path = settings.build_dir / "failing_rows" / f"{result.check_id}.csv"
            query = queries.get(result.check_id.rsplit(".", 1)[1], "")
            rows = keep_failing_rows(connection, query, [], path)
            failed.append(replace(result, failing_rows=rows))
    return failed


def _result(
    manifest: Mapping[str, Any], test: Mapping[str, Any], outcome: Mapping[str, Any], run_id: str
) -> CheckResult:
    layer, table = _tested(manifest, test)
    status, severity = outcome["status"], test["config"]["severity"].lower()
    generic = test.get("test_metadata")
    if status in ("pass", "warn", "fail"):
        observed = f"{outcome['failures'] or 0:,} failing rows"
    elif status == "skipped":
        observed = NOT_RUN
    else:
        # the first line names the test only
        lines = (outcome["message"] or status).splitlines()
        observed = first_line("\n".join(lines[1:] or lines))
    return CheckResult(
        check_id=f"{layer}.{table}.{test['name']}",
        layer=layer,
        table_name=table,
        expectation=f"{generic['name']}({test['column_name'] or ''})" if generic else test["name"],
        severity="warning" if severity == "warn" or status == "warn" else "critical",
        passed=status == "pass",
        observed=observed,
        description=test.get("description") or test["name"],
        run_id=run_id,
    )


def _tested(manifest: Mapping[str, Any], test: Mapping[str, Any]) -> tuple[str, str]:
    """(layer, table) of what a test is about; of several, the one nearest to the marts."""
    attached = test.get("attached_node")
    found = []
    for unique_id in [attached] if attached else test["depends_on"]["nodes"]:
        if unique_id in manifest["sources"]:
            source = manifest["sources"][unique_id]
            found.append(("raw", f"{source['source_name']}__{source['name']}"))
        else:
            node = manifest["nodes"][unique_id]
            layer = "seeds" if node["resource_type"] == "seed" else node["fqn"][1]
            found.append((layer, node["name"]))
    rank = {layer: position for position, layer in enumerate(_ORDER)}
    return max(found, key=lambda tested: rank.get(tested[0], -1), default=("", test["name"]))
