"""dbt's data tests as check results, from the files that dbt leaves in its target folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster_project.lib.expectations.results import CheckResult, first_line

_ORDER = ("raw", "seeds", "staging", "intermediate", "marts")


def read_dbt_results(target_dir: Path, run_id: str) -> list[CheckResult]:
    """The data tests of dbt's last call; its unit tests test the code and are left out."""
    manifest = json.loads((target_dir / "manifest.json").read_text(encoding="utf-8"))
    run = json.loads((target_dir / "run_results.json").read_text(encoding="utf-8"))
    return [
        _result(manifest, manifest["nodes"][outcome["unique_id"]], outcome, run_id)
        for outcome in run["results"]
        if outcome["unique_id"].startswith("test.")
    ]


def _result(
    manifest: Mapping[str, Any], test: Mapping[str, Any], outcome: Mapping[str, Any], run_id: str
) -> CheckResult:
    layer, table = _tested(manifest, test)
    status, severity = outcome["status"], test["config"]["severity"].lower()
    generic = test.get("test_metadata")
    if status in ("pass", "warn", "fail"):
        observed = f"{outcome['failures'] or 0:,} failing rows"
    elif status == "skipped":
        observed = "not run: what it tests was not built"
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
