"""The public data sets pass every critical check and every test of dbt."""

from pathlib import Path

import pytest

from dagster_project.lib.expectations.run import run_checks
from dagster_project.lib.expectations.suites import LAYERS
from dagster_project.lib.settings import load_settings
from tests.shops import dbt


@pytest.mark.parametrize("name", ["olist", "cdnow", "online_retail"])
def test_no_critical_check_fails(name: str, request: pytest.FixtureRequest) -> None:
    warehouse: Path = request.getfixturevalue(name)
    settings = load_settings(warehouse=warehouse, connectors=name)
    results = [result for layer in LAYERS for result in run_checks(settings, layer, "test")]

    assert len(results) > 100
    assert [r.check_id for r in results if r.severity == "critical" and not r.passed] == []
    tests = dbt(settings, "test", "--select", "test_type:data")
    assert len(tests) > 100
    assert [test.node.name for test in tests if test.status != "pass"] == []
