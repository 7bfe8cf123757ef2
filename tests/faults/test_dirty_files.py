"""Hundreds of dirty files in one folder: each record is loaded exactly, rejected readably, or stays
in a file that is held. Set REGULARS_TEST_SEED to try other files; the test's name says the seed.
"""

import csv
import gzip
import io
import json
import os
import random
import re
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.intake.ledger import LedgerRow
from dagster_project.lib.intake.worker import Worker
from tests.described import Shop, described_shop
from tests.faults.dirty_files import BLANKS, Dirty, dirty_files

SEED = int(os.environ.get("REGULARS_TEST_SEED", "1"))
FILES = 125
csv.field_size_limit(2 << 20)
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
Rows = dict[str, list[dict[str, Any]]]


@pytest.mark.parametrize(
    "seed",
    [
        *range(SEED, SEED + 2),
        *(pytest.param(seed, marks=pytest.mark.long) for seed in range(SEED + 2, SEED + 32)),
    ],
)
def test_dirty_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_worker: Worker, seed: int
) -> None:
    shop = described_shop(tmp_path, monkeypatch, kept_worker)
    files = dirty_files(seed, FILES)
    for file in files:
        shop.land(file.name, file.data)
    report = {row.file: row for row in shop.run().files}
    loaded, rejected = rows_of(shop)
    for file in files:
        path = f"shop/{file.name}"
        row, brought, refused = report.pop(path), loaded.pop(path, []), rejected.pop(path, [])
        hint = f"seed {seed}, {path}: {row.status}, {row.reason}"
        try:
            check_counts(row, brought, refused)
            if file.damaged and file.held is None:
                check_damaged(file, row, brought)
            else:
                check(file, row, brought, refused)
        except AssertionError as error:
            raise AssertionError(f"{hint}\n{error}") from error
    assert not report and not loaded and not rejected


def test_the_order_of_arrival_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_worker: Worker
) -> None:
    files = dirty_files(SEED, 60)
    contents = []
    for order in range(2):
        root = tmp_path / str(order)
        with monkeypatch.context() as patch:
            shop = described_shop(root, patch, kept_worker)
            random.Random(order).shuffle(files)
            for part in (files[:20], files[20:25], files[25:]):
                for file in part:
                    shop.land(file.name, file.data)
                report = shop.run()
            ledger = {(row.file, row.status, row.loaded, row.rejected) for row in report.files}
            contents.append((ledger, *rows_of(shop)))
    assert contents[0] == contents[1]


def rows_of(shop: Shop) -> tuple[Rows, Rows]:
    """What was loaded and what was rejected, by file and in order."""
    found: tuple[Rows, Rows] = (defaultdict(list), defaultdict(list))
    raw = shop.warehouse / "raw"
    without = "exclude (_loaded_at)"
    for entity in ("orders", "visits"):
        query = (
            f"select * {without} from read_parquet('{raw}/shop/{entity}/*.parquet') order by _row"
        )
        for row in dicts(query):
            found[0][row["_file"]].append(row)
    query = (
        f"select * exclude (rejected_at) from read_parquet('{raw}/intake/rejected_rows/*.parquet')"
    )
    for row in dicts(f"{query} order by row_number"):
        found[1][row["file"]].append(row)
    return found


def dicts(query: str) -> list[dict[str, Any]]:
    answer = duckdb.sql(query)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]


def check_counts(
    row: LedgerRow, brought: list[dict[str, Any]], refused: list[dict[str, Any]]
) -> None:
    """Records = loaded + rejected, none twice; whatever is said is readable."""
    assert (row.loaded, row.rejected) == (len(brought), len(refused))
    assert row.records == row.loaded + row.rejected
    numbers = [item["_row"] for item in brought] + [item["row_number"] for item in refused]
    if row.status != "duplicate":
        assert sorted(numbers) == list(range(1, row.records + 1))
    assert (row.status == "held") == bool(row.reason)
    for item in refused:
        check_readable(item["reason"], 400)
        assert (item["connector"], item["entity"]) == ("shop", row.entity)
        assert item["sha256"] == row.sha256
    if row.reason:
        check_readable(row.reason, 1200)


def check_readable(reason: str, longest: int) -> None:
    assert 10 < len(reason) < longest, reason
    assert not HIDDEN & {unicodedata.category(mark) for mark in reason}, ascii(reason)
    assert "\ufffd" not in reason


def check(
    file: Dirty, row: LedgerRow, brought: list[dict[str, Any]], refused: list[dict[str, Any]]
) -> None:
    if file.held is not None:
        assert row.status == "held" and row.reason and file.held in row.reason
        return
    assert (row.status, row.records) == ("loaded", file.records)
    found = {item["_row"]: {c: item[c] for c in file.columns} for item in brought}
    assert found == file.loaded
    assert {item["row_number"] for item in refused} == file.rejected.keys()
    for item in refused:
        wanted = file.rejected[item["row_number"]]
        assert item["line"] == wanted.line
        assert item["column_name"] in wanted.columns
        assert wanted.words in item["reason"]
        assert wanted.raw is None or item["raw_text"] == wanted.raw
        assert item["raw_text"]


# files of which only another reader can say what they hold


def check_damaged(file: Dirty, row: LedgerRow, brought: list[dict[str, Any]]) -> None:
    data = file.data
    if file.name.lower().endswith(".gz"):
        data = gzip.decompress(data)
    if "parquet" in file.name or row.status == "held":
        return
    text = decoded(data)
    assert text is not None, "is loaded, but cannot be decoded"
    assert "\ufffd" in text or not any("\ufffd" in str(item) for item in brought)
    seen = json_keys(text) if "jsonl" in file.name else keys(file, text)
    if seen is None:
        return
    assert row.records == len(seen)
    key = "visitor" if "visits" in file.name else "order_id"
    for item in brought:
        assert item[key] == seen[item["_row"] - 1]


def decoded(data: bytes) -> str | None:
    marks = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16"}
    marks |= {b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
    encoding = next((name for mark, name in marks.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def keys(file: Dirty, text: str) -> list[str | None] | None:
    """The key of each record; None where Python's reader divides records by other rules."""
    if "visits" in file.name:
        lines = text.removesuffix("\n").split("\n")
        lines = [
            line.removesuffix("\r").strip(" \t\v\f") for line in lines if line not in ("", "\r")
        ]
        return [re.split("[ \t\v\f]", line)[0] or None for line in lines]
    if "\0" in text or "\r" in text.replace("\r\n", ""):
        return None
    delimiter = "\t" if "tsv" in file.name else ","
    header, *records = [
        row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row
    ]
    place = [name.strip().casefold() for name in header].index("order_id")
    return [
        (row[place].strip(BLANKS) or None) if len(row) == len(header) else None for row in records
    ]


def json_keys(text: str) -> list[str | None]:
    found: list[str | None] = []
    for line in text.split("\n"):
        if line in ("", "\r"):
            continue
        try:
            item = json.loads(line, parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            item = None
        key = None
        if isinstance(item, dict):
            (key,) = [v for k, v in item.items() if k.strip().casefold() == "order_id"] or [None]
        found.append(key.strip(BLANKS) or None if isinstance(key, str) else key)
    return found
