"""What holds for the project as a whole: grains, layers, connectors, words, privacy of the user."""

import ast
import importlib
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import dagster_project.lib.expectations
from dagster_project.lib.dbt import read_manifest
from dagster_project.lib.expectations.suites import load_suites
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.settings import DBT_DIR, PROJECT_ROOT
from tests.conftest import SHARING

PACKAGE = PROJECT_ROOT / "dagster_project"
MODELS = DBT_DIR / "models"
CONNECTORS = load_connectors()
ENTITIES = [entity.name for entity in CONNECTORS["files"].entities]

Node = dict[str, Any]


@cache
def manifest() -> dict[str, Any]:
    return read_manifest()


def models(*layers: str) -> dict[str, Node]:
    """Models by name, of these layers: base, staging, intermediate, marts."""
    found = {}
    for node in manifest()["nodes"].values():
        if node["resource_type"] == "model":
            is_base = node["name"].startswith("base_")
            if ("base" if is_base else node["schema"]) in layers:
                found[node["name"]] = node
    return found


def grain_test(model: Node) -> dict[str, Any]:
    """Arguments of the test of a model's grain."""
    tests = [
        node["test_metadata"]["kwargs"]
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "test"
        and node.get("attached_node") == model["unique_id"]
        and node["test_metadata"]["name"] == "grain"
    ]
    assert len(tests) <= 1, f"{model['name']} states several grains: {tests}"
    return tests[0] if tests else {}


def grain(model: Node) -> list[str]:
    """The columns that tell its rows apart; none for a single row."""
    return list(grain_test(model).get("columns", []))


def sentence(model: Node) -> str:
    return re.split(r"\.\s|:\s|\.$", model["description"].removeprefix("Grain:"))[0].strip()


@pytest.mark.parametrize("name", models("staging", "pii", "intermediate", "marts"))
def test_a_description_opens_with_the_grain_and_a_test_holds_it(name: str) -> None:
    model = models("staging", "pii", "intermediate", "marts")[name]
    assert re.match(r"Grain: one row( per |[.,])", model["description"]), model["description"]
    if "per" not in sentence(model):
        return
    words = set(re.findall(r"\w+", sentence(model).lower().replace("-", "")))
    words |= {f"{word}s" for word in words}
    assert grain(model), f"{name}.yml has no test of type grain"
    for column in grain(model):
        named = {column, *column.split("_")} & words
        assert named, f"{name}: the grain's sentence does not speak of {column}"


def test_only_these_columns_of_a_grain_may_be_empty() -> None:
    found = {
        name: set(test["may_be_empty"])
        for name, model in models("staging", "pii", "intermediate", "marts").items()
        if (test := grain_test(model)).get("may_be_empty")
    }
    assert found == {
        "fct_discount_comparison": {"cohort_month"},  # all strata together
        "fct_reconciliation": {"currency"},  # records have none
        "fct_referral_programme": {"generation"},  # of the whole programme
        "fct_repurchase_rates": {"cohort_month"},  # all months together
        "fct_restatements": {"customer_id"},  # figures are of the shop
        "int_experience__follow_ups": {"days_to_next_purchase"},  # none has come
        "int_identity__links": {"source_name"},  # only cookies have one
        "int_identity__mentions": {"account_id", "email_hash"},  # either may be unknown
        "int_predictions__totals": {"cohort_month", "acquisition_channel"},  # of the shop
        "int_repeat__follow_ups": {"cohort_month", "days_to_next_purchase"},  # none has come
        "int_repeat__life_tables": {"cohort_month"},
        "int_repeat__rates": {"cohort_month"},
        "int_restatements__listed": {"customer_id"},
        "stg_suppressions": {
            *(
                "customer_id",
                "customer_email_hash",
                "customer_phone_hash",
                "channel",
            )  # one is enough
        },
    }


def test_tests_that_read_a_shared_warehouse_run_in_the_process_that_has_built_it() -> None:
    """Elsewhere it would be built a second time."""
    warehouses = {"demo", "olist", "cdnow", "online_retail"}
    reading = set()
    for path in (PROJECT_ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if (
                isinstance(node, ast.FunctionDef)
                and "long" not in map(mark_of, node.decorator_list)
                and {argument.arg for argument in node.args.args} & warehouses
            ):
                reading.add(f"{path.relative_to(PROJECT_ROOT)}::{node.name}")
    assert len(reading) > 30
    assert {name for name in reading if not name.startswith(SHARING)} == set()


def mark_of(decorator: ast.expr) -> str:
    return decorator.attr if isinstance(decorator, ast.Attribute) else ""


@pytest.mark.parametrize("name", models("marts"))
def test_the_expectations_of_a_mart_state_the_same_grain(name: str) -> None:
    if name == "fct_check_results":  # the results of the expectations themselves
        return
    grains = [
        check.columns
        for suite in load_suites("marts", [name])
        for check in suite.checks
        if check.type.endswith("_be_unique") and check.severity == "critical"
    ]
    assert grains == [grain(models("marts")[name])]


@pytest.mark.parametrize("layer", ["staging", "intermediate", "marts"])
def test_expectations_outside_raw_are_about_models_and_state_their_grain(layer: str) -> None:
    for suite in load_suites(layer):
        model = models(layer)[suite.table]
        unique = [check.columns for check in suite.checks if check.type.endswith("_be_unique")]
        assert unique == ([grain(model)] if "per" in sentence(model) else []), suite.table


def test_raw_expectations_are_about_tables_that_the_intake_writes() -> None:
    written = {f"{entity.connector}__{entity.name}" for entity in raw_tables()}
    written |= {"intake__files", "intake__rejected_rows"}
    assert {suite.table for suite in load_suites("raw")} <= written


@pytest.mark.parametrize("name", models("marts"))
def test_a_mart_keeps_a_contract_with_every_column_typed_and_described(name: str) -> None:
    model = models("marts")[name]
    assert model["contract"]["enforced"]
    assert model["columns"]
    for column in model["columns"].values():
        assert column["data_type"], column["name"]
        assert re.search(r"[.:]$|\.$", column["description"].strip()), (
            f"{name}.{column['name']} has no description that ends as a sentence"
        )


@pytest.mark.parametrize("name", models("staging"))
def test_a_staging_model_types_and_describes_every_column(name: str) -> None:
    for column in models("staging")[name]["columns"].values():
        assert column["data_type"] and column["description"], column["name"]


def test_models_and_seeds_describe_every_column() -> None:
    seeds = [node for node in manifest()["nodes"].values() if node["resource_type"] == "seed"]
    for node in [*models("staging", "pii", "intermediate", "marts").values(), *seeds]:
        assert node["description"] and node["columns"], node["name"]
        for column in node["columns"].values():
            assert column["description"], f"{node['name']}.{column['name']}"


READS = {
    "base": {"source", "base", "seed", "staging"},
    "pii": {"base", "staging", "seed", "intermediate", "pii"},
    "staging": {"base", "staging", "source", "pii"},
    "intermediate": {"staging", "intermediate", "seed", "source", "pii"},
    "marts": {"intermediate", "marts", "seed"},
}
WRITTEN_BY_THE_RUN = {
    "intake",
    "quality",
    "previous",
    "ltv",
}  # what is known of the run has no contract to pass


@pytest.mark.parametrize("layer", READS)
def test_a_layer_reads_only_those_before_it(layer: str) -> None:
    nodes = manifest()["nodes"]
    layer_of = {
        model["unique_id"]: own_layer for own_layer in READS for model in models(own_layer).values()
    }
    for name, model in models(layer).items():
        for parent in model["depends_on"]["nodes"]:
            kind = parent.split(".")[0]
            read = layer_of[parent] if kind == "model" else kind
            assert read in READS[layer], f"{name} reads {parent}"
            if layer == "intermediate" and kind == "source":
                assert parent.split(".")[2] in WRITTEN_BY_THE_RUN, f"{name} reads {parent}"
            if layer == "base":
                own = re.fullmatch(
                    rf"source[.]regulars[.]{connector_of(name)}[.].*|"
                    rf"model[.]regulars[.]base_{connector_of(name)}__.*|"
                    rf"seed[.]regulars[.]{connector_of(name)}_.*|"
                    r"model[.]regulars[.]stg_run_settings",
                    parent,
                )
                assert own, f"{name} reads {parent}"
        assert nodes[model["unique_id"]]["name"] == name


def test_personal_data_is_read_only_where_it_is_left_out_or_masked() -> None:
    personal = {model["unique_id"] for model in models("pii").values()}
    readers = {
        name
        for name, model in models("staging", "intermediate", "marts").items()
        if personal & set(model["depends_on"]["nodes"])
    }
    assert readers == {  # masked
        *("stg_customers", "stg_preferences", "stg_survey_responses", "stg_refunds"),
        "int_events__search_terms",
    }
    (contacts,) = (model for name, model in models("pii").items() if name == "stg_contacts")
    kept = set(models("staging")["stg_customers"]["columns"])
    assert set(contacts["columns"]) - kept == {
        *("email_address", "phone_number", "first_name", "last_name")
    }


@pytest.mark.parametrize("name", models("marts"))
def test_every_mart_has_one_telling_figure(name: str) -> None:
    ((figure, sql),) = models("marts")[name]["config"]["meta"]["telling_figure"].items()
    assert re.fullmatch(r"[a-z][a-z0-9_]+", figure)
    columns = set(models("marts")[name]["columns"])
    assert re.search(r"count\(\*\)", sql) or columns & set(re.findall(r"\w+", sql)), sql


def test_sql_names_no_table_but_by_ref_and_source() -> None:
    for path in MODELS.rglob("*.sql"):
        sql = re.sub(r"--.*|\{[%#].*?[%#]\}", "", path.read_text(encoding="utf-8"))
        named = re.findall(r"\b(?:staging|intermediate|marts|seeds)\.\w+", sql)
        assert not named, f"{path.name} names {named}"


# What only one engine knows, or the two take otherwise. CONTRIBUTING.md: what to write instead.
ONE_ENGINE_ONLY = {
    "cast by ::": r"::",
    "text under another name than string": r"\bas (varchar|text|hugeint)\b",
    "date with an interval": r"[+-]\s*interval\b",
    "part of a date": r"\b(extract|date_part|dayofweek|isodow|week|epoch)\s*\(",
    "function of dates": r"\b(date_diff|datediff|date_add|strftime|strptime|timezone)\s*\(",
    "rows out of a list": r"\b(unnest|explode|generate_series|sequence)\s*\(",
    "nulls taken otherwise": r"\b(any_value|arg_max|arg_min|concat)\s*\(",
    "pattern taken otherwise": r"\b(regexp_matches|regexp_extract|starts_with|strpos)\s*\(",
    "function of one engine": r"\b(quantile_cont|list|json_\w+)\s*\(",
    "integer division": r"//|\bdiv\b",
    "columns left out": r"\*\s+(exclude|except|replace)\b",
}


@pytest.mark.parametrize("form", ONE_ENGINE_ONLY)
def test_models_are_written_for_both_engines(form: str) -> None:
    found = {}
    for path in MODELS.rglob("*.sql"):
        sql = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
        sql = re.sub(r"\{[{%#].*?[}%#]\}", "", sql, flags=re.DOTALL)
        if match := re.search(ONE_ENGINE_ONLY[form], sql):
            found[path.name] = match.group()
    assert found == {}


def test_models_are_named_after_layer_and_folder() -> None:
    for path in MODELS.rglob("*.sql"):
        layer, *folders = path.relative_to(MODELS).parent.parts
        pattern = {
            "staging": rf"base_{folders[1]}__\w+" if folders[:1] == ["connectors"] else r"stg_\w+",
            "intermediate": r"int_[a-z]+(_[a-z]+)*__[a-z_]+",
            "marts": r"(dim|fct)_[a-z_]+",
        }[layer]
        assert re.fullmatch(pattern, path.stem), path


def test_a_yml_stands_beside_each_sql_and_speaks_of_it_alone() -> None:
    for path in MODELS.rglob("*.sql"):
        if path.stem.startswith("base_"):  # described by the contract that it is brought to
            continue
        described = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))
        assert [model["name"] for model in described["models"]] == [path.stem]
        unit_tests = described.get("unit_tests", [])
        assert {test["model"] for test in unit_tests} <= {path.stem}
    paths = [path for path in MODELS.rglob("*.yml") if not path.name.startswith("_")]
    assert [path for path in paths if not path.with_suffix(".sql").exists()] == []


def test_unit_tests_are_named_for_a_behaviour() -> None:
    for test in manifest()["unit_tests"].values():
        assert len(test["name"].split("_")) >= 4, test["name"]
        assert test["model"] not in test["name"]


# Connectors


def raw_tables() -> list[Any]:
    return [entity for connector in CONNECTORS.values() for entity in connector.entities]


def connector_vars() -> dict[str, list[str]]:
    project = yaml.safe_load((DBT_DIR / "dbt_project.yml").read_text(encoding="utf-8"))
    declared: dict[str, list[str]] = project["vars"]["connectors"]
    return declared


def connector_of(base_model: str) -> str:
    return base_model.removeprefix("base_").split("__")[0]


def brings(base_model: str) -> bool:
    """Whether it brings an entity of the contract, rather than being a step to such a model."""
    return base_model.split("__")[1] in ENTITIES


def test_every_connector_has_the_base_models_that_it_declares_and_their_steps() -> None:
    declared = {
        f"base_{name}__{entity}"
        for name, entities in connector_vars().items()
        for entity in entities
    }
    read = {
        parent.split(".")[-1]
        for model in models("base").values()
        for parent in model["depends_on"]["nodes"]
    }
    assert declared == {name for name in models("base") if brings(name)}
    assert {name for name in models("base") if not brings(name)} <= read
    assert connector_vars().keys() == CONNECTORS.keys()


def test_the_contract_is_what_the_connector_files_brings() -> None:
    assert connector_vars()["files"] == list(dict.fromkeys(connector_vars()["files"]))
    assert set(connector_vars()["files"]) == set(ENTITIES)
    assert {f"stg_{entity}" for entity in ENTITIES} == set(models("staging")) - {
        "stg_sources",
        "stg_placeholder_emails",
        "stg_recorded_contacts",
        "stg_run_settings",
    }


def test_every_raw_table_of_a_connector_is_read() -> None:
    read = {
        parent.split(".", 2)[2]
        for model in models("base").values()
        for parent in model["depends_on"]["nodes"]
        if parent.startswith("source.")
    }
    assert {f"{table.connector}.{table.name}" for table in raw_tables()} == read


# What of an entity goes into the schema pii, and what is told of it outside.
PERSONAL = {"customers": {"email", "first_name", "last_name", "phone"}}
TOLD_OF_PERSONAL = {"customers": {"has_email_address", "has_phone_number", "has_clean_name"}}


def final_columns(sql: str) -> list[str]:
    """Names of what the last select of a query gives."""
    last = re.split(r"^select$", re.sub(r"--.*", "", sql), flags=re.MULTILINE)[-1]
    body = re.split(r"^from ", last, flags=re.MULTILINE)[0]
    items, depth = [""], 0
    for character in body:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    return [re.split(r"[\s.]+", item.strip())[-1] for item in items]


@pytest.mark.parametrize("name", [name for name in models("base") if brings(name)])
def test_a_base_model_gives_the_columns_of_the_contract_in_its_order(name: str) -> None:
    entity = name.split("__")[1]
    contract = models("base")[f"base_files__{entity}"]["raw_code"]
    assert final_columns(models("base")[name]["raw_code"]) == final_columns(contract)
    staged = set(models("staging")[f"stg_{entity}"]["columns"])
    brought = set(final_columns(contract)) - {"_file", "_row"}
    assert brought - PERSONAL.get(entity, set()) == staged - TOLD_OF_PERSONAL.get(entity, set())


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_contract_has_the_columns_that_its_files_bring(entity: str) -> None:
    (table,) = [table for table in CONNECTORS["files"].entities if table.name == entity]
    private = {
        column.name for column in table.columns if column.personal in ("email", "phone", "text")
    }
    brought = set(table.raw_columns) - private - {"_file", "_row", "_loaded_at"}
    columns = models("staging")[f"stg_{entity}"]["columns"]
    assert brought | {"source_name"} == set(columns) - TOLD_OF_PERSONAL.get(entity, set())
    for column in table.columns:
        if column.name in columns:
            assert columns[column.name]["data_type"] == column.data_type, column.name


def test_a_key_of_the_contract_is_the_grain_of_its_staging_model() -> None:
    for table in CONNECTORS["files"].entities:
        keys = [
            column.hash_name if column.is_hashed else column.name
            for column in table.columns
            if column.key
        ]
        assert grain(models("staging")[f"stg_{table.name}"]) == ["source_name", *keys]


# Words: what `one_of` admits and what SQL compares with are the same.


def one_of(connector: str, entity: str, column: str) -> set[str]:
    (table,) = [table for table in CONNECTORS[connector].entities if table.name == entity]
    (declared,) = [declared for declared in table.columns if declared.name == column]
    return set(declared.one_of)


def words_of(sql: str) -> set[str]:
    return set(re.findall(r"'([a-z_]+)'", sql))


@pytest.mark.parametrize(
    ("connector", "table", "column"),
    [
        ("demo", "orders", "state"),
        ("olist", "orders", "order_status"),
        ("woocommerce", "order_items", "status"),
    ],
)
def test_every_status_of_a_source_becomes_one_of_the_contract(
    connector: str, table: str, column: str
) -> None:
    sql = models("base")[f"base_{connector}__orders"]["raw_code"]
    (case,) = re.findall(
        rf"case\s+(?:orders\.)?{column}\b(.*?)\bend as order_status", sql, re.DOTALL
    )
    renamed = dict(re.findall(r"when '([\w-]+)'\s+then '(\w+)'", case))
    source = one_of(connector, table, column)
    assert renamed.keys() <= source
    assert {renamed.get(word, word) for word in source} <= one_of("files", "orders", "order_status")


def test_every_line_type_of_the_demo_becomes_one_of_the_contract() -> None:
    types = one_of("demo", "order_items", "kind") - {"goods"} | {"merchandise"}
    assert types <= one_of("files", "order_lines", "line_type")


def test_statuses_that_do_not_count_are_statuses() -> None:
    macro = (DBT_DIR / "macros" / "invalid_reason.sql").read_text(encoding="utf-8")
    (listed,) = re.findall(r"in \((.*?)\)", macro)
    assert words_of(listed) < one_of("files", "orders", "order_status")


def test_line_types_compared_with_are_line_types() -> None:
    known = one_of("files", "order_lines", "line_type")
    for name, model in models("intermediate", "marts").items():
        compared = re.findall(r"line_type\s*(?:=|<>)\s*'(\w+)'", model["raw_code"])
        assert set(compared) <= known, name


@pytest.mark.parametrize("name", [name for name in models("base") if brings(name)])
def test_words_that_a_base_model_writes_itself_are_words_of_the_contract(name: str) -> None:
    connector, entity = name.removeprefix("base_").split("__")
    (table,) = [table for table in CONNECTORS["files"].entities if table.name == entity]
    for column in table.columns:
        written = re.findall(rf"'(\w+)' as {column.name}\b", models("base")[name]["raw_code"])
        assert not column.one_of or set(written) <= set(column.one_of), (connector, column.name)


# Borders of the Python code


def modules(folder: Path = PACKAGE) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        name = str(path.relative_to(PROJECT_ROOT))
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_nothing_in_lib_imports_dagster() -> None:
    for name, tree in modules(PACKAGE / "lib"):
        tops = {imported.split(".")[0] for imported in imports(tree)}
        assert not {top for top in tops if top.startswith("dagster")} - {"dagster_project"}, name
        assert not [found for found in imports(tree) if "dagster_project.defs" in found], name


# Who touches the environment besides settings.py, and why it must.
ENVIRONMENT = {
    "dagster_project/cli.py": "hands the settings of the command line to Dagster and dbt",
    "dagster_project/lib/docs/site.py": "hands the warehouse to dbt",
    "dagster_project/lib/dbt.py": "keeps dbt from sending statistics",
    "dagster_project/lib/expectations/__init__.py": "keeps Great Expectations from sending them",
}


def test_only_settings_read_the_environment() -> None:
    touching = {
        name
        for name, tree in modules()
        if any(
            isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "putenv"}
            for node in ast.walk(tree)
        )
        or any(found.startswith(("dotenv", "os.environ", "os.getenv")) for found in imports(tree))
    }
    assert touching - {"dagster_project/lib/settings.py"} <= ENVIRONMENT.keys()
    assert ENVIRONMENT.keys() <= touching, "an exception that is not needed any more"


def test_only_settings_build_on_a_settings_library() -> None:
    for name, tree in modules():
        if name != "dagster_project/lib/settings.py":
            assert not [found for found in imports(tree) if found.startswith("pydantic_settings")]


# Nothing is sent to anybody


def test_no_tool_sends_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "True")
    project = yaml.safe_load((DBT_DIR / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["flags"]["send_anonymous_usage_stats"] is False
    home = yaml.safe_load((PROJECT_ROOT / "dagster_home" / "dagster.yaml").read_text("utf-8"))
    assert home["telemetry"] == {"enabled": False}
    pyproject = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert pyproject["tool"]["dg"]["cli"]["telemetry"] == {"enabled": False}
    importlib.reload(dagster_project.lib.expectations)
    assert os.environ["GX_ANALYTICS_ENABLED"] == "False"
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    for line in ("DBT_SEND_ANONYMOUS_USAGE_STATS := false", "DO_NOT_TRACK := 1"):
        assert f"export {line}" in makefile


# Files under version control


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no checkout")
    paths = [PROJECT_ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


# Written in two parts, so that this file does not hold what it looks for.
LEFTOVERS = {
    "a path of one machine": r"(?<![\w.])/(?:ho" r"me|Us" r"ers|ro" r"ot|wo" r"rk)/\w",
    "a note to do": r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX:|HA" r"CK)\b",
    "a merge conflict": r"^(?:<{7}|>{7}) ",
    "a breakpoint": r"\b(?:break" r"point\(\)|pdb\.set_" r"trace)",
}


@pytest.mark.parametrize("what", LEFTOVERS)
def test_no_file_holds_a_leftover(what: str) -> None:
    pattern = re.compile(LEFTOVERS[what], re.MULTILINE)
    found = {}
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if match := pattern.search(text):
            found[str(path.relative_to(PROJECT_ROOT))] = match.group()
    assert found == {}


def test_nothing_generated_is_under_version_control() -> None:
    names = [str(path.relative_to(PROJECT_ROOT)) for path in tracked_files()]
    generated = re.compile(
        r"(^|/)(target|logs|__pycache__|\.venv|[^/]+\.egg-info)/|\.(duckdb|pyc|parquet)$"
    )
    assert [name for name in names if generated.search(name)] == []
