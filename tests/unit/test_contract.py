"""docs/contract.md, which is all that somebody with an export of his own has to read."""

import re

import pytest

from dagster_project.lib.contract import CONTRACT_FILE, MARKER, contract, render
from dagster_project.lib.intake.connectors import load_connectors

DOCUMENT = CONTRACT_FILE.read_text(encoding="utf-8")
ENTITIES = {entity.name: entity for entity in load_connectors()["files"].entities}


def test_the_document_is_the_one_that_the_dbt_files_make() -> None:
    assert render() == DOCUMENT, "`make docs` writes it anew"


def test_what_is_written_by_hand_stays_as_it_is() -> None:
    written = DOCUMENT.partition(MARKER)[0]
    assert render().startswith(written)
    assert "## The smallest shop" in written


@pytest.mark.parametrize("name", ENTITIES)
def test_every_column_of_an_entity_has_its_row_with_type_and_rules(name: str) -> None:
    section = re.split(r"^## ", DOCUMENT.partition(MARKER)[2], flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(f"{name}\n")]
    assert "Makes possible: " in text
    rows = {
        cells[1].strip(" `"): [cell.strip() for cell in cells[2:5]]
        for line in text.splitlines()
        if len(cells := line.split("|")) == 6 and cells[1].strip().startswith("`")
    }
    assert list(rows) == [column.name for column in ENTITIES[name].columns]
    for column in ENTITIES[name].columns:
        data_type, meaning, rules = rows[column.name]
        assert data_type == column.data_type
        assert len(meaning) > 3
        assert ("required" in rules) == column.required
        assert all(f"`{word}`" in rules for word in column.one_of)


def test_only_orders_are_required() -> None:
    enables = {entity.name: entity.enables for entity in contract()}
    assert enables.keys() == ENTITIES.keys()
    assert enables["orders"].startswith("everything")
    assert not [name for name, what in enables.items() if name != "orders" and "everything" in what]


def test_an_entity_is_fed_by_the_files_of_its_name_and_not_by_those_of_others() -> None:
    for entity in contract():
        assert {table for connector, table in entity.fed_by if connector == "files"} == {
            entity.name
        }


def test_amounts_say_their_unit() -> None:
    money = re.compile(r"amount|price|cost|fee|reward")
    for entity in contract():
        for item in entity.columns:
            if money.search(item.column.name) and item.column.data_type.startswith("decimal"):
                assert re.search("currency", item.description), (entity.name, item.column.name)
