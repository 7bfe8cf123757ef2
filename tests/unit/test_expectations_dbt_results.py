"""dbt's artifacts, cut down to what is read of them."""

import json
from pathlib import Path
from typing import Any

from dagster_project.lib.expectations.dbt_results import read_dbt_results


def data_test(name: str, **given: Any) -> dict[str, Any]:
    return {
        "name": name,
        "resource_type": "test",
        "attached_node": None,
        "column_name": None,
        "description": "",
        "config": {"severity": "ERROR"},
        "test_metadata": None,
        "depends_on": {"nodes": []},
        **given,
    }


MANIFEST = {
    "sources": {"source.p.files.orders": {"source_name": "files", "name": "orders"}},
    "nodes": {
        "model.p.stg_orders": {
            "name": "stg_orders",
            "resource_type": "model",
            "fqn": ["p", "staging", "stg_orders"],
        },
        "model.p.fct_orders": {
            "name": "fct_orders",
            "resource_type": "model",
            "fqn": ["p", "marts", "sales", "fct_orders"],
        },
        "test.p.unique.1": data_test(
            "unique_fct_orders_order_id",
            attached_node="model.p.fct_orders",
            column_name="order_id",
            description="The grain.",
            test_metadata={"name": "unique"},
        ),
        "test.p.not_null.2": data_test(
            "not_null_stg_orders_currency",
            attached_node="model.p.stg_orders",
            column_name="currency",
            config={"severity": "warn"},
            test_metadata={"name": "not_null"},
        ),
        "test.p.assert_orders_balance": data_test(
            "assert_orders_balance",
            depends_on={"nodes": ["model.p.fct_orders", "model.p.stg_orders"]},
        ),
        "test.p.source.3": data_test(
            "source_not_null_files_orders_order_id",
            column_name="order_id",
            test_metadata={"name": "not_null"},
            depends_on={"nodes": ["source.p.files.orders"]},
        ),
        "test.p.later": data_test("later", depends_on={"nodes": ["model.p.fct_orders"]}),
    },
}
RUN = {
    "results": [
        {"unique_id": "model.p.stg_orders", "status": "success", "failures": None, "message": "OK"},
        {"unique_id": "test.p.unique.1", "status": "pass", "failures": 0, "message": None},
        {"unique_id": "test.p.not_null.2", "status": "warn", "failures": 1234, "message": "Got"},
        {"unique_id": "test.p.assert_orders_balance", "status": "fail", "failures": 2},
        {
            "unique_id": "test.p.source.3",
            "status": "error",
            "failures": None,
            "message": "Runtime Error in test x (y.yml)\n  Conversion Error: not '1,5' here\n\n  L",
        },
        {"unique_id": "test.p.later", "status": "skipped", "failures": None, "message": None},
        {"unique_id": "unit_test.p.fct_orders.u", "status": "pass", "failures": 0},
    ]
}


def test_data_tests_of_dbt_become_check_results(tmp_path: Path) -> None:
    (tmp_path / "run_results.json").write_text(json.dumps(RUN))
    unique, not_null, balance, source, later = read_dbt_results(MANIFEST, tmp_path, "run-1")
    assert unique.check_id == "marts.fct_orders.unique_fct_orders_order_id"
    assert (unique.layer, unique.table_name, unique.expectation, unique.severity) == (
        "marts",
        "fct_orders",
        "unique(order_id)",
        "critical",
    )
    assert (unique.passed, unique.observed, unique.description, unique.run_id) == (
        True,
        "0 failing rows",
        "The grain.",
        "run-1",
    )
    assert (not_null.layer, not_null.severity, not_null.passed, not_null.observed) == (
        "staging",
        "warning",
        False,
        "1,234 failing rows",
    )
    assert not_null.description == "not_null_stg_orders_currency"
    assert (balance.table_name, balance.expectation) == ("fct_orders", "assert_orders_balance")
    assert (balance.severity, balance.passed, balance.failing_rows) == ("critical", False, None)
    assert (source.layer, source.table_name, source.passed) == ("raw", "files__orders", False)
    assert source.observed == "Conversion Error: not '...' here"
    assert (later.passed, later.observed) == (False, "not run: what it tests was not built")
