"""docs/entities.md and its picture: what they say belongs together does."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from dagster_project.lib.docs.entities import (
    ENTITIES_FILE,
    MARKER,
    PICTURE_FILE,
    Reference,
    draw,
    homes,
    marts,
    references,
    render,
)
from dagster_project.lib.settings import DBT_DIR
from tests.shops import rows

KNOWN = marts()
POINTING = references(KNOWN)
EMPTY = {Reference("fct_refunds", "product_id", "dim_products")}  # its refunds name no product


def test_the_page_and_the_picture_are_those_that_the_dbt_files_make() -> None:
    assert render() == ENTITIES_FILE.read_text(encoding="utf-8"), "`make docs` writes it anew"
    assert draw() == PICTURE_FILE.read_text(encoding="utf-8"), "`make docs` draws it anew"
    assert PICTURE_FILE.name in render().partition(MARKER)[0]


def test_every_mart_stands_on_the_page_once() -> None:
    files = {path.stem for path in (DBT_DIR / "models" / "marts").rglob("*.sql")}
    listed = re.findall(r"^\| `(\w+)` \|", render(), flags=re.MULTILINE)
    assert sorted(listed) == sorted(files)


def test_customers_orders_and_products_are_at_home() -> None:
    assert homes(KNOWN).items() >= {
        ("customer_id", "dim_customers"),
        ("order_id", "fct_orders"),
        ("product_id", "dim_products"),
    }


def test_every_column_that_is_called_an_id_is_a_key_or_points_somewhere() -> None:
    known = {(reference.mart, reference.column) for reference in POINTING}
    lost = {
        (mart.name, column)
        for mart in KNOWN.values()
        for column in mart.columns
        if column.endswith("_id")
        and column not in mart.key
        and mart.domain != "quality"
        and (mart.name, column) not in known
    }
    assert lost == {
        ("fct_clarify_questions", "question_id"),  # tells its rows apart as well
        ("fct_audience_members", "subject_id"),  # of a cart, a category or a question
    }


@pytest.mark.parametrize("reference", POINTING, ids=lambda of: f"{of.mart}.{of.column}")
def test_what_a_column_points_to_is_there(demo: Path, reference: Reference) -> None:
    (key,) = KNOWN[reference.home].key
    ((filled, found),) = rows(
        demo,
        f"""
        select count(*), count(home.{key})
        from {reference.mart} as pointing
        left join {reference.home} as home on home.{key} = pointing.{reference.column}
        where pointing.{reference.column} is not null
        """,
    )
    assert filled == found
    assert filled or reference in EMPTY


def test_boxes_and_lines_of_the_picture_do_not_hide_each_other() -> None:
    svg = ElementTree.fromstring(draw())
    space = "{http://www.w3.org/2000/svg}"
    boxes = [
        tuple(int(box.attrib[side]) for side in ("x", "y", "width", "height"))
        for box in svg.iter(f"{space}rect")
        if box.get("class") == "box"
    ]
    for number, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[number + 1 :]:
            assert (
                x + width <= other_x
                or other_x + other_width <= x
                or y + height <= other_y
                or other_y + other_height <= y
            )
    lines = [line.attrib["d"] for line in svg.iter(f"{space}path") if is_line(line)]
    uprights = [
        int(x) for line in lines for x in re.findall(r"(?:M(?=\d+ \d+V)|H(?=\d+V))(\d+)", line)
    ]
    assert len(uprights) == len(set(uprights)) == len(lines)
    for at in uprights:
        assert not [x for x, _, width, _ in boxes if x <= at <= x + width]


def is_line(path: ElementTree.Element) -> bool:
    return path.attrib["class"].startswith("line ")
