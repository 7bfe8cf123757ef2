"""Intake of nested values, and of values that stand in part of a text; expected values by hand."""

import json
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.errors import InputError
from dagster_project.lib.intake import doctor, intake
from dagster_project.lib.intake.connectors import load_connectors
from tests.described import Shop

HITS = """
sources:
  - name: shop
    config: {meta: {external_location: x}}
    tables:
      - name: hits
        config: {meta: {files: ["hits*"]}}
        columns:
          - {name: hit, data_type: varchar, config: {meta: {required: true, key: true}}}
          - {name: url, data_type: varchar, config: {meta: {aliases: [page_url], paths: [context.page.url, link.full]}}}
          - {name: amount, data_type: "decimal(18,6)", config: {meta: {paths: ["sums[0].amount"]}}}
          - {name: term, data_type: varchar, config: {meta: {paths: ["params[key=q].value.text", "params[key=q].value.number"]}}}
          - {name: email, data_type: varchar, config: {meta: {personal: email, paths: [context.traits.email]}}}
          - {name: hit_at, data_type: timestamp, config: {meta: {date_format: epoch_us}}}
          - {name: coupon, data_type: varchar, config: {meta: {aliases: [coupons], paths: [order.coupons], pattern: "code:([^|]+)"}}}
          - {name: made_at, data_type: timestamp, config: {meta: {time_zone: UTC}}}
"""  # noqa: E501 (a table of columns reads best with one per line)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    describe(tmp_path, HITS)
    described = partial(load_connectors, tmp_path / "connectors")
    monkeypatch.setattr(intake, "load_connectors", described)
    monkeypatch.setattr(doctor, "load_connectors", described)
    return Shop(tmp_path)


def describe(folder: Path, text: str) -> None:
    path = folder / "connectors" / "shop" / "_shop__sources.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


NESTED = [
    {
        "hit": "A",
        "context": {"page": {"url": "a.example", "title": "A"}, "traits": {"email": " X@y.z "}},
        "sums": [{"amount": "1.50"}, {"amount": 9}],
        "params": [{"key": "p", "value": {"text": "no"}}, {"key": "q", "value": {"text": "yes"}}],
    },
    {
        "hit": "B",
        "context": {"page": None},
        "link": {"full": "b.example"},
        "sums": [],
        "params": [{"key": "q", "value": {"number": 7}}, {"key": "q", "value": {"text": "later"}}],
    },
    {"hit": "C", "context": None, "sums": None, "params": []},
    {"hit": "D"},
]
FOUND = [
    ("A", "a.example", Decimal("1.5"), "yes", "X@y.z"),
    ("B", "b.example", None, "7", None),
    ("C", None, None, None, None),
    ("D", None, None, None, None),
]
COLUMNS = "hit, url, amount, term, email"


def test_paths_lead_into_json(shop: Shop) -> None:
    row = shop.take("hits.json", lines(*NESTED))
    assert (row.records, row.loaded, row.rejected) == (4, 4, 0)
    assert shop.raw(COLUMNS, "hits") == FOUND
    assert row.note == "optional columns missing: hit_at, coupon, made_at"


def test_paths_lead_into_nested_parquet(shop: Shop) -> None:
    shop.land("nested.jsonl", lines(*NESTED), folder="_aside")
    source = shop.landing / "_aside" / "nested.jsonl"
    target = shop.landing / "shop" / "hits.parquet"
    types = {
        "hit": "varchar",
        "context": "struct(page struct(url varchar), traits map(varchar, varchar))",
        "link": 'struct("full" varchar)',
        "sums": "struct(amount decimal(9,2))[]",
        "params": 'struct("key" varchar, "value" struct("text" varchar, "number" bigint))[]',
    }
    duckdb.sql(f"copy (from read_json('{source}', columns = {types})) to '{target}'")
    row = shop.file(shop.run(), "hits.parquet")
    assert (row.records, row.loaded, row.rejected) == (4, 4, 0)
    assert shop.raw(COLUMNS, "hits") == FOUND


def test_a_flat_export_is_found_by_names_and_not_by_paths(shop: Shop) -> None:
    shop.take("hits.csv", 'hit,page_url,context\nA,a.example,"{""page"": {""url"": ""no""}}"\n')
    assert shop.raw(COLUMNS, "hits") == [("A", "a.example", None, None, None)]


def test_a_value_under_its_name_comes_before_those_at_paths(shop: Shop) -> None:
    context = {"page": {"url": "nested.example"}}
    shop.take(
        "hits.jsonl",
        lines(
            {"hit": "A", "page_url": "own.example", "context": context},
            {"hit": "B", "page_url": " ", "context": context},
        ),
    )
    assert shop.raw("hit, url", "hits") == [("A", "own.example"), ("B", "nested.example")]


def test_records_whose_nesting_is_not_as_declared_are_rejected(shop: Shop) -> None:
    good = {"hit": "A", "context": {"page": {"url": "a"}}, "sums": [{"amount": 1}], "params": []}
    twice = '{"hit": "B", "context": {"page": {"url": "a", "url": "b"}}}'
    bad = [
        {"hit": "C", "context": "text"},
        {"hit": "D", "context": {"page": ["a"]}},
        {"hit": "E", "params": {"key": "q"}},
        {"hit": "F", "sums": [{"amount": "much"}]},
        {"hit": " ", "context": {}},
    ]
    row = shop.take("hits.jsonl", lines(good) + twice + "\n" + lines(*bad))
    assert (row.records, row.loaded, row.rejected) == (7, 1, 6)
    assert shop.rejects("line, column_name, reason") == [
        (2, None, "context.page has a key twice"),
        (3, None, "context is not an object"),
        (4, None, "context.page is not an object"),
        (5, None, "params is not a list"),
        (6, "amount", shop.rejects("reason")[4][0]),
        (7, "hit", "is required but empty"),
    ]


def test_a_parquet_column_of_another_nesting_is_rejected_row_by_row(shop: Shop) -> None:
    target = shop.landing / "shop" / "hits.parquet"
    duckdb.sql(f"copy (select 'A' as hit, {{'key': 'q'}} as params) to '{target}'")
    assert shop.file(shop.run(), "hits.parquet").rejected == 1
    assert shop.rejects("column_name, reason") == [(None, "params is not a list")]


@pytest.mark.parametrize(
    ("unit", "text", "value"),
    [
        ("epoch_us", "1714640400123456", datetime(2024, 5, 2, 9, 0, 0, 123456)),
        ("epoch_ms", "1714640400123", datetime(2024, 5, 2, 9, 0, 0, 123000)),
        ("epoch_s", "1714640400", datetime(2024, 5, 2, 9)),
        ("epoch_s", "-1", datetime(1969, 12, 31, 23, 59, 59)),
        ("epoch_us", "99999999999999999", None),
        ("epoch_us", "1" * 30, None),
        ("epoch_us", "1.5", None),
        ("epoch_us", "2024-05-02", None),
    ],
)
def test_stamps_since_1970_are_in_utc_whatever_the_zone_of_the_shop(
    shop: Shop, tmp_path: Path, unit: str, text: str, value: datetime | None
) -> None:
    described = tmp_path / "connectors" / "shop" / "_shop__sources.yml"
    described.write_text(HITS.replace("epoch_us", unit))
    shop.options["time_zone"] = "Asia/Tokyo"
    row = shop.take("hits.csv", f"hit,hit_at\nA,{text}\n")
    assert (row.loaded, row.rejected) == ((1, 0) if value else (0, 1))
    assert shop.raw("hit_at", "hits") == ([(value,)] if value else [])


def test_a_column_may_have_a_time_zone_of_its_own(shop: Shop) -> None:
    shop.options["time_zone"] = "Asia/Tokyo"
    shop.take("hits.csv", "hit,made_at\nA,2024-05-02 09:00:00\nB,2024-05-02T09:00:00+02:00\n")
    assert shop.raw("made_at", "hits") == [
        (datetime(2024, 5, 2, 9),),
        (datetime(2024, 5, 2, 7),),
    ]


def test_a_pattern_takes_a_value_out_of_a_text(shop: Shop) -> None:
    shop.take("hits.csv", "hit,coupons\nA,id:1|code:may|x;id:2|code:june\nB,none\nC,\n")
    assert shop.raw("coupon", "hits") == [("may",), (None,), (None,)]


def test_a_pattern_holds_wherever_the_text_lies(shop: Shop) -> None:
    nested = {"hit": "B", "order": {"coupons": "code:june"}}
    shop.take("hits.jsonl", lines({"hit": "A", "coupons": "code:may|x"}, nested))
    assert shop.raw("coupon", "hits") == [("may",), ("june",)]


@pytest.mark.parametrize("path", ["context..url", "a[b]", "a[b=]", "a b", "a.'b", ""])
def test_a_path_that_cannot_be_read_is_an_error_of_the_description(
    tmp_path: Path, path: str
) -> None:
    describe(tmp_path, HITS.replace("[context.traits.email]", json.dumps([path])))
    with pytest.raises(InputError, match="column email has paths that cannot be read"):
        load_connectors(tmp_path / "connectors")


def test_the_doctor_counts_nested_columns_as_found(shop: Shop) -> None:
    shop.land("hits.jsonl", lines(*NESTED))
    (findings,) = doctor.examine(shop.settings)
    (file,) = findings.files
    assert set(file.matched) == {"hit", "url", "amount", "term", "email"}
    assert file.ignored == ()
