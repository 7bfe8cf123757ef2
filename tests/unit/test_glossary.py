"""docs/glossary.md, by which people know which figure they mean."""

import re

import pytest
import yaml

from dagster_project.lib.dbt import mart_descriptions
from dagster_project.lib.settings import DBT_DIR, PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
TERMS = dict(re.findall(r"^### (.+)\n((?:(?!#).*\n?)+)", PAGE, flags=re.MULTILINE))
NAMED = set(re.findall(r"`([^`\n]+)`", PAGE))
WINDOW = re.compile(r"_(?:30|90|180|365)_days$")


@pytest.mark.parametrize("term", TERMS)
def test_a_term_says_what_it_means_how_it_is_counted_where_it_stands_and_what_it_is_not(
    term: str,
) -> None:
    meaning = TERMS[term].partition("\n- ")[0]
    assert meaning.endswith((".", ")"))
    labels = re.findall(r"^- \*\*(.+?)\*\*: ", TERMS[term], flags=re.MULTILINE)
    assert labels == ["Counted", "Stands in", "Is not"]


def test_terms_are_headed_once() -> None:
    assert len(TERMS) == len(re.findall("^### ", PAGE, flags=re.MULTILINE)) > 50


def test_every_table_and_column_that_is_named_exists() -> None:
    marts = mart_descriptions()
    columns = {name for name in NAMED if re.match(r"(dim|fct)_\w+\.", name)}
    assert len(columns) > 130
    for name in columns:
        table, _, column = name.partition(".")
        assert column in marts[table].columns, name
    assert {name for name in NAMED if re.fullmatch(r"(dim|fct)_\w+", name)} <= marts.keys()


def test_every_metric_is_named() -> None:
    metrics = {
        metric["name"]
        for path in (DBT_DIR / "models" / "marts").rglob("_*__metrics.yml")
        for metric in yaml.safe_load(path.read_text(encoding="utf-8"))["metrics"]
    }
    assert len(metrics) > 40
    lost = {name for name in metrics if not {name, WINDOW.sub("_N_days", name)} & NAMED}
    assert lost == set()
