"""The dbt unit tests beside the models: windows, dates, borders; and the test of a grain."""

import re

import duckdb
import pytest
import yaml

from dagster_project.lib.settings import DBT_DIR, Settings
from tests.shops import dbt, rebuild, settings_of, write_csv


@pytest.fixture(scope="module")
def smallest_shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One order: enough for every table that a unit test takes its columns from."""
    folder = tmp_path_factory.mktemp("smallest")
    order = {"order_id": "a", "ordered_at": "2024-02-29 12:00:00", "merchandise_amount": "1"}
    write_csv(folder / "landing" / "files" / "orders.csv", [order])
    return rebuild(settings_of(folder / "landing", folder / "warehouse"))


def written_unit_tests() -> dict[str, str]:
    """The model of each unit test by its name."""
    return {
        test["name"]: test["model"]
        for path in DBT_DIR.joinpath("models").rglob("*.yml")
        for test in yaml.safe_load(path.read_text(encoding="utf-8")).get("unit_tests", [])
    }


def test_every_unit_test_of_a_model_passes(smallest_shop: Settings) -> None:
    results = dbt(smallest_shop, "test", "--select", "test_type:unit")
    outcomes = {result.node.name: result.status for result in results}
    assert outcomes == dict.fromkeys(written_unit_tests(), "pass")


def test_a_grain_is_broken_by_a_second_row_an_empty_key_and_an_empty_column(
    smallest_shop: Settings,
) -> None:
    with duckdb.connect(str(smallest_shop.build_file)) as connection:
        connection.execute("insert into seeds.refund_reasons values ('defect', true)")
        connection.execute("insert into seeds.currencies values (null, 100, 0.01)")
        connection.execute("insert into seeds.online_retail_countries values ('Atlantis', null)")
    with pytest.raises(AssertionError) as caught:
        dbt(smallest_shop, "test", "--select", "test_name:grain")
    broken = re.findall(r"grain_of_(\w+): Got 1 result", str(caught.value))
    assert sorted(broken) == ["currencies", "online_retail_countries", "refund_reasons"]


# These hand rows on as they are.
WITHOUT_LOGIC = {
    "dim_products",
    "fct_advocacy_actions",
    "fct_carts",
    "fct_check_results",
    "fct_intake_files",
    "fct_lapse_thresholds",
    "fct_ltv_backtests",
    "fct_ltv_models",
    "fct_rejected_rows",
    "int_identity__accounts",
    "int_identity__emails",
    "int_intake__files",
    "int_intake__rejected_rows",
    "int_quality__check_results",
    "int_predictions__backtests",
    "int_predictions__models",
    "int_predictions__purchases",
    "int_predictions__totals",
    "int_predictions__value_auc",
    "int_predictions__values",
    "int_restatements__listed",
}


def test_every_model_that_decides_something_has_a_unit_test() -> None:
    folders = [DBT_DIR / "models" / layer for layer in ("intermediate", "marts")]
    names = {path.stem for folder in folders for path in folder.rglob("*.sql")}
    assert names - set(written_unit_tests().values()) == WITHOUT_LOGIC
