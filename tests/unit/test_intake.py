"""Intake: what lands is loaded, rejected with a reason, or held; expected values by hand."""

import gzip
import hashlib
import json
import os
import resource
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_project.lib.errors import InputError, RegularsError
from dagster_project.lib.intake import doctor, intake
from dagster_project.lib.intake.worker import Worker
from tests.described import Shop, described_shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_worker: Worker) -> Shop:
    return described_shop(tmp_path, monkeypatch, kept_worker)


# reading


def test_a_clean_file_is_loaded_with_its_origin(shop: Shop) -> None:
    row = shop.take("orders.csv", "order_id,amount\nA, 10.50 \nB,\n")
    assert (row.status, row.records, row.loaded, row.rejected) == ("loaded", 2, 2, 0)
    assert row.note is not None and row.note.startswith("optional columns missing: email, status")
    assert shop.raw("order_id, amount, status, _file, _row") == [
        ("A", Decimal("10.500000"), None, "shop/orders.csv", 1),
        ("B", None, None, "shop/orders.csv", 2),
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_blank_lines_and_quoted_newlines(shop: Shop, ending: str, last: bool) -> None:
    lines = ["order_id,status", "", 'A,"paid"', '"B', 'b",paid', "", "C,lost"]
    row = shop.take("orders.csv", ending.join(lines) + ending * last)
    assert (row.records, row.loaded, row.rejected) == (3, 2, 1)
    assert shop.raw("order_id, _row") == [("A", 1), (f"B{ending}b", 2)]
    assert shop.rejects("line, row_number, column_name, raw_text") == [(7, 3, "status", "C,lost")]


def test_mixed_line_ends_are_read_exactly(shop: Shop) -> None:
    shop.take("orders.csv", b"order_id,status\r\nA,paid\nB,paid\r\n\nC,lost\r\n")
    assert shop.raw("order_id, status") == [("A", "paid"), ("B", "paid")]
    assert shop.rejects() == [(5, 3, "status")]


def test_ragged_nul_and_carriage_return_records_are_rejected_alone(shop: Shop) -> None:
    data = b'order_id,status\nA,paid\nB\nC,paid,\nD,pa\0id\nE,pa\rid\n"F\rf",paid\nG,paid\n'
    row = shop.take("orders.csv", data)
    assert (row.status, row.records, row.loaded, row.rejected) == ("loaded", 7, 3, 4)
    assert shop.raw("order_id, _row") == [("A", 1), ("F\rf", 6), ("G", 7)]
    assert shop.rejects("line, row_number, column_name, reason, raw_text") == [
        (3, 2, None, "expected 2 fields, not 1", "B"),
        (4, 3, None, "expected 2 fields, not 3", "C,paid,"),
        (5, 4, None, "the record holds a NUL byte", "D,pa\\0id"),
        (6, 5, None, "the record holds a carriage return that does not end a line", "E,pa\rid"),
    ]


def test_a_record_of_more_than_a_mebibyte_is_rejected(shop: Shop) -> None:
    row = shop.take("orders.csv", b"order_id\nA\n" + b"x" * (1 << 20) + b"y\n" + b"z" * 1000000)
    assert (row.records, row.loaded, row.rejected) == (3, 2, 1)
    assert shop.rejects("line, reason") == [(3, "the record is longer than 1 MiB")]


def test_a_quote_inside_an_unquoted_field_is_data(shop: Shop) -> None:
    shop.take("orders.csv", 'order_id,status\n5" pipe,paid\n"6"" pipe",paid\nx"y"z,lost\n')
    assert shop.raw("order_id") == [('5" pipe',), ('6" pipe',)]
    assert shop.rejects() == [(4, 3, "status")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ('order_id,status\nA,"paid\nB,x\n', "a quote opened at line 2, column 3 that never closes"),
        (
            'order_id,status\n"A\nb",paid\nC,"paid"x\n',
            "text after a closing quote at line 4, column 9 (the field opens at line 4, column 3)",
        ),
        ("", "is empty: not even a header"),
        ("status,amount\npaid,1\n", "lacks the required column order_id; columns found: 'status'"),
        ("order_id,amount,Order_ID \nA,1,B\n", "has the column 'Order_ID' twice"),
        ("order_id,amount,total\nA,1,2\n", "has 'amount' and 'total', which both mean amount"),
        (b"order_id\nA\nM\xfcller\n", "is not utf-8: byte 0xFC at line 3, byte 13 of the file"),
        (b"\xff\xfeo\0r\0\x00\xd8x\0", "is not utf-16"),
        (b"order_id\rA\rB\r", "no usable header: the record holds a carriage return"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_held(shop: Shop, data: bytes | str, reason: str) -> None:
    shop.land("orders-good.csv", "order_id\nA\n")
    row = shop.take("orders.csv", data)
    assert (row.status, row.loaded, row.active_sha256) == ("held", 0, None)
    assert row.reason is not None and reason in row.reason and "shop/orders.csv" in row.reason
    assert shop.raw("order_id") == [("A",)]


def test_a_header_alone_is_a_file_without_records(shop: Shop) -> None:
    row = shop.take("orders.csv", "order_id,amount\n")
    assert (row.status, row.records, row.loaded) == ("loaded", 0, 0)


def test_header_spelling_aliases_and_extra_columns(shop: Shop) -> None:
    row = shop.take("orders.csv", b"\xef\xbb\xbf Order_ID ,TOTAL,shoe size\nA,1,42\n")
    assert shop.raw("order_id, amount") == [("A", Decimal(1))]
    assert row.note is not None and row.note.startswith("columns ignored: shoe size;")


def test_encodings(shop: Shop) -> None:
    shop.land("notes.csv", "note;author\nGrüße;é\n".encode("latin-1"))
    shop.land("notes-bom.csv", "\ufeffnote;author\nGrüße;é\n")
    shop.land("orders.csv", "order_id,status\nÄ,paid\nB,lost\n".encode("utf-16"))
    assert not shop.run().held
    assert shop.raw("note, author", "notes") == [("Grüße", "é")] * 2
    assert shop.raw("order_id") == [("Ä",)]
    assert shop.rejects("line, raw_text") == [(3, "B,lost")]


def test_whitespace_text_without_a_header(shop: Shop) -> None:
    data = b" 0001  19970101  29.33\r\n 2 19970230 1\r\n\r\n 3 1997011 1\r\n 4 19970101\r\n"
    row = shop.take("visits.txt", data)
    assert (row.records, row.loaded, row.rejected) == (4, 1, 3)
    assert shop.raw("visitor, day, amount", "visits") == [
        ("0001", date(1997, 1, 1), Decimal("29.330000"))
    ]
    assert shop.rejects() == [(2, 2, "day"), (4, 3, "day"), (5, 4, None)]


def test_tab_separated_and_compressed(shop: Shop) -> None:
    shop.take("orders.tsv.gz", gzip.compress(b"order_id\tstatus\nA,1\tpaid\n"))
    assert shop.raw("order_id, status") == [("A,1", "paid")]


def test_truncated_and_oversized_gzip_are_held(shop: Shop) -> None:
    packed = gzip.compress(os.urandom(3000).hex().encode())
    shop.land("orders-cut.csv.gz", packed[:-300])
    shop.land("orders-no.csv.gz", b"order_id\nA\n")
    shop.land("orders-bomb.csv.gz", gzip.compress(bytes(100 << 20)))
    shop.land("orders-empty.csv.gz", b"")
    shop.land("orders-two.csv.gz", gzip.compress(b"order_id\nA\n") + gzip.compress(b"B\n"))
    reasons = {row.file: row.reason or "" for row in shop.run().files}
    assert "truncated" in reasons["shop/orders-cut.csv.gz"]
    assert "not a valid gzip" in reasons["shop/orders-no.csv.gz"]
    assert "expands to more than" in reasons["shop/orders-bomb.csv.gz"]
    assert "truncated" in reasons["shop/orders-empty.csv.gz"]
    assert shop.raw("order_id") == [("A",), ("B",)]


def test_order_and_row_numbers_survive_parallel_reading(shop: Shop) -> None:
    lines = [f"{n},paid,{'x' * 40}" for n in range(1, 300_001)]
    lines[250_000 - 1] = "250000,lost,"
    shop.take("orders.csv", "\n".join(["order_id,status,email", *lines]))
    folder = shop.warehouse / "raw" / "shop" / "orders"
    query = f"select count(*), sum((order_id::bigint <> _row)::int) from '{folder}/*.parquet'"
    assert duckdb.sql(query).fetchall() == [(299_999, 0)]
    assert shop.rejects("line, row_number") == [(250_001, 250_000)]


def test_names_of_files_are_data(shop: Shop) -> None:
    names = ["orders_'; drop --.csv", "orders_*.csv", "orders_[a]?{b}.csv", 'orders_"ü .csv.gz']
    for number, name in enumerate(names):
        data = f"order_id\n{number}\n".encode()
        shop.land(name, gzip.compress(data) if name.endswith(".gz") else data)
    shop.land("orders_x.csv", "order_id\nx\n")
    assert not shop.run().held
    found = {(file, order) for file, order in shop.raw("_file, order_id")}
    assert found == {(f"shop/{name}", str(n)) for n, name in enumerate(names)} | {
        ("shop/orders_x.csv", "x")
    }


def test_names_of_columns_are_data(shop: Shop) -> None:
    row = shop.take("orders.csv", 'order_id,"a""b\'; --",{{ x }}\nA,1,2\n')
    assert row.note is not None and "a\"b'; --, {{ x }}" in row.note
    assert shop.raw("order_id") == [("A",)]


# JSON and Parquet


def test_jsonl(shop: Shop) -> None:
    lines = [
        '{"order_id": 12345678901234567, "Total": 1.50, "is_gift": true, "status": null}',
        '{"order_id": "B", "Total": "7", "extra": {"a": [1]}}',
        "",
        '{"order_id": "C", "Total": 1',
        "[1]",
        '{"order_id": "D", "Total": 1234567890123.123456}',
        '{"order_id": "E", "order_id": "F"}',
        '{"Total": 3}',
    ]
    row = shop.take("orders.jsonl", "\n".join(lines))
    assert (row.status, row.records, row.loaded, row.rejected) == ("loaded", 7, 2, 5)
    assert shop.raw("order_id, amount, is_gift") == [
        ("12345678901234567", Decimal("1.500000"), True),
        ("B", Decimal("7.000000"), None),
    ]
    assert shop.rejects("line, column_name, raw_text") == [
        (4, None, lines[3]),
        (5, None, lines[4]),
        (6, "amount", lines[5]),
        (7, None, lines[6]),
        (8, "order_id", lines[7]),
    ]


def test_jsonl_without_a_required_key_is_held(shop: Shop) -> None:
    row = shop.take("orders.jsonl", '{"Total": 1}\n{"id": 2}\n')
    assert row.status == "held" and row.reason is not None
    assert "lacks the required column order_id; columns found: 'Total', 'id'" in row.reason


def parquet(shop: Shop, name: str, query: str) -> Path:
    path = shop.landing / "shop" / name
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"copy ({query}) to '{path}' (format parquet)")
    return path


def test_parquet_types(shop: Shop) -> None:
    shop.options["time_zone"] = "Europe/Berlin"
    parquet(
        shop,
        "orders.parquet",
        "select 7 as order_id, 0.1::double + 0.2::double as amount, 3.0::double as quantity, "
        "timestamptz '2024-07-01 12:00:00+02' as ordered_at, date '2024-02-29' as shipped_on "
        "union all select 8, 1e-7::double, 2.5, '2024-07-01 12:00:00+02', null "
        "union all select 9, 'nan'::double, 2, null, null",
    )
    row = shop.file(shop.run(), "orders.parquet")
    assert (row.records, row.loaded, row.rejected) == (3, 1, 2)
    assert shop.raw("order_id, amount, quantity, ordered_at, shipped_on") == [
        ("7", Decimal("0.300000"), 3, datetime(2024, 7, 1, 10), date(2024, 2, 29))
    ]
    (first, second) = shop.rejects("line, row_number, column_name, raw_text")
    assert first[:3] == (None, 2, "amount") and json.loads(first[3])["order_id"] == 8
    assert second[:3] == (None, 3, "amount")


def test_parquet_naive_stamps_nested_values_and_awkward_names(shop: Shop) -> None:
    shop.options["time_zone"] = "Europe/Berlin"
    parquet(
        shop,
        "orders.parquet",
        "select 'A' as order_id, {'x': 1} as email, 12.5::decimal(9,2) as amount, 1 as _row, "
        "2 as file_row_numbers, 3 as t0, timestamp '2024-01-01 00:30:00' as ordered_at, "
        "timestamp '2024-01-01 00:00:00' as shipped_on",
    )
    assert not shop.run().held
    assert shop.raw("order_id, email, amount, _row, ordered_at, shipped_on") == [
        ("A", '{"x":1}', Decimal("12.5"), 1, datetime(2023, 12, 31, 23, 30), date(2024, 1, 1))
    ]


def test_parquet_stamps_finer_than_a_microsecond_are_not_cut(shop: Shop) -> None:
    parquet(
        shop,
        "orders.parquet",
        """
        select 'A' as order_id, timestamp_ns '2024-02-29 10:11:12.123456000' as ordered_at
        union all select 'B', timestamp_ns '2024-02-29 10:11:12.123456001'
        """,
    )
    row = shop.file(shop.run(), "orders.parquet")

    assert (row.loaded, row.rejected) == (1, 1)
    assert shop.raw("order_id, ordered_at") == [("A", datetime(2024, 2, 29, 10, 11, 12, 123456))]
    assert "a time like" in shop.rejects("reason")[0][0]


@pytest.mark.parametrize("beyond", [0, 1])
def test_parquet_times_in_utc_finer_than_a_microsecond_hold_the_file(
    shop: Shop, beyond: int
) -> None:
    moment = 1_709_201_472_123_456_000 + beyond
    times = pa.array([moment, None], pa.timestamp("ns", "UTC"))
    path = shop.landing / "shop" / "orders.parquet"
    pq.write_table(pa.table({"order_id": ["A", "B"], "ordered_at": times}), path)
    row = shop.file(shop.run(), "orders.parquet")

    if beyond:
        assert row.status == "held" and "holds times finer than a microsecond" in str(row.reason)
    else:
        assert shop.raw("ordered_at") == [(datetime(2024, 2, 29, 10, 11, 12, 123456),), (None,)]


def test_a_parquet_file_of_impossible_size_is_held(shop: Shop) -> None:
    parquet(shop, "orders.parquet", "select 'A' as order_id from range(3000000)")
    (row,) = shop.run().held
    assert "claims 3000000 rows" in (row.reason or "")


def test_truncated_parquet_is_held(shop: Shop) -> None:
    path = parquet(shop, "orders.parquet", "select range::varchar as order_id from range(5000)")
    path.write_bytes(path.read_bytes()[:-100])
    (row,) = shop.run().held
    assert row.reason is not None and "cannot be read" in row.reason


# typing


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("amount", "0.30000000000000004", Decimal("0.300000")),
        ("amount", "+5.", Decimal(5)),
        ("amount", ".5", Decimal("0.5")),
        ("amount", "999999999999.999999", Decimal("999999999999.999999")),
        ("rate", "0.00000001", Decimal("0.00000001")),
        ("quantity", "-9223372036854775808", -(2**63)),
        ("quantity", "3.0", 3),
        ("is_gift", "YES", True),
        ("is_gift", "0", False),
        ("currency", "eur", "EUR"),
        ("status", "Paid", "paid"),
        ("shipped_on", "2024-02-29", date(2024, 2, 29)),
        ("ordered_at", "2024-02-29", datetime(2024, 2, 29)),
        ("ordered_at", "2024-02-29T10:11:12.123456Z", datetime(2024, 2, 29, 10, 11, 12, 123456)),
        ("ordered_at", "2024-02-29 10:11:12.500000000", datetime(2024, 2, 29, 10, 11, 12, 500000)),
        ("ordered_at", "2024-02-29 10:11:12+05:30", datetime(2024, 2, 29, 4, 41, 12)),
        ("ordered_at", "2024-02-29 10:11:12 +0530", datetime(2024, 2, 29, 4, 41, 12)),
        ("ordered_at", "2024-02-29 10:11", datetime(2024, 2, 29, 10, 11)),
        ("email", "  a  b ", "a  b"),
        ("email", "   ", None),
        ("email", "NULL", "NULL"),
    ],
)
def test_values_that_fit(shop: Shop, column: str, text: str, value: object) -> None:
    assert shop.take("orders.csv", f"order_id,{column}\nA,{text}\n").rejected == 0
    assert shop.raw(column) == [(value,)]


@pytest.mark.parametrize(
    ("column", "text", "expectation"),
    [
        ("amount", "1.234,56", "a number like 1234.56"),
        ("amount", "1e3", "a number like 1234.56"),
        ("amount", "NaN", "a number like 1234.56"),
        ("amount", "0.1234567", "6 behind"),
        ("amount", "1000000000000", "up to 12 digits before the point"),
        ("amount", "-0.01", "at least 0"),
        ("amount", "$5", "a number"),
        ("rate", "0", "more than 0"),
        ("quantity", "9223372036854775808", "a whole number of 64 bits"),
        ("quantity", "2.5", "a whole number"),
        ("quantity", "1_000", "a whole number"),
        ("is_gift", "maybe", "true or false"),
        ("currency", "EURO", "a currency code"),
        ("status", "lost", "one of paid, cancelled"),
        ("shipped_on", "29.02.2024", "a date like 2024-12-31"),
        ("shipped_on", "2023-02-29", "a date like"),
        ("shipped_on", "0024-01-01", "a year from 1900 to 2200"),
        ("shipped_on", "2024-01-01 10:00:00", "a date like"),
        ("ordered_at", "2024-01-01 25:00:00", "a time like"),
        ("ordered_at", "01/02/2024", "a time like"),
        ("ordered_at", "2024-01-01 10:00:00.0000001", "a time like"),
        ("ordered_at", "2024-01-01T10:00:00.0000001Z", "a time like"),
    ],
)
def test_values_that_do_not_fit(shop: Shop, column: str, text: str, expectation: str) -> None:
    field = f'"{text}"' if "," in text else text
    row = shop.take("orders.csv", f"order_id,{column}\nA,{field}\nB,\n")
    assert (row.records, row.loaded, row.rejected) == (2, 1, 1)
    ((found, reason),) = shop.rejects("column_name, reason")
    assert found == column and expectation in reason and reason.endswith(f", not '{text}'")


def test_the_first_failing_column_of_the_file_decides(shop: Shop) -> None:
    shop.take("orders.csv", "quantity,status,order_id\nx,lost,\n1,paid,\n")
    assert shop.rejects("row_number, column_name, reason")[0][1] == "quantity"
    assert shop.rejects("row_number, column_name, reason")[1] == (
        2,
        "order_id",
        "is required but empty",
    )


def test_a_time_after_the_arrival_is_rejected(shop: Shop) -> None:
    now = datetime.now(UTC)
    near, far = now + timedelta(hours=23), now + timedelta(hours=25)
    data = f"order_id,ordered_at\nA,{near:%Y-%m-%d %H:%M:%S}\nB,{far:%Y-%m-%d %H:%M:%S}\n"
    shop.take("orders.csv", data)
    assert shop.raw("order_id") == [("A",)]
    assert shop.rejects("column_name") == [("ordered_at",)]


def test_stamps_without_an_offset_are_in_the_time_zone_of_the_shop(shop: Shop) -> None:
    shop.options["time_zone"] = "Europe/Berlin"
    stamps = {
        "2024-01-15 12:00:00": datetime(2024, 1, 15, 11),
        "2024-07-15 12:00:00": datetime(2024, 7, 15, 10),
        "2024-03-31 01:59:59": datetime(2024, 3, 31, 0, 59, 59),
        "2024-03-31 03:00:00": datetime(2024, 3, 31, 1),
        "2024-10-27 03:00:00": datetime(2024, 10, 27, 2),
        "2024-07-15 12:00:00Z": datetime(2024, 7, 15, 12),
    }
    shop.take("orders.csv", "\n".join(["order_id,ordered_at", *(f"x,{text}" for text in stamps)]))
    assert shop.raw("ordered_at") == [(value,) for value in stamps.values()]


def test_emails_get_a_keyed_hash_and_stay_out_of_reasons(shop: Shop) -> None:
    shop.take("orders.csv", "order_id,email\nA, Ada@Example.org \nB,\n")
    expected = hashlib.sha256(b"key|ada@example.org").hexdigest()[:32]
    assert shop.raw("email, email_hash") == [("Ada@Example.org", expected), (None, None)]


# the landing folder


def test_links_pipes_and_strangers_are_never_opened(shop: Shop) -> None:
    outside = shop.root / "secret.csv"
    outside.write_text("order_id\nsecret\n")
    folder = shop.landing / "shop"
    (folder / "orders-link.csv").symlink_to(outside)
    (folder / "orders").symlink_to(shop.root)
    os.mkfifo(folder / "orders-pipe.csv")
    os.link(outside, folder / "orders-hard.csv")
    shop.land("readme.md", "hello")
    shop.land("_ignored.csv", "x")
    shop.land(".hidden/orders.csv", "order_id\nhidden\n")
    shop.land("orders.csv", "order_id\nA\n")
    report = shop.run()
    assert {row.file: row.status for row in report.files} == {
        "shop/orders": "held",
        "shop/orders-hard.csv": "held",
        "shop/orders-link.csv": "held",
        "shop/orders-pipe.csv": "held",
        "shop/orders.csv": "loaded",
        "shop/readme.md": "unrecognised",
    }
    assert "is a link" in (shop.file(report, "orders-link.csv").reason or "")
    assert shop.raw("order_id") == [("A",)]


def test_a_file_swapped_after_it_was_found_is_held(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop.land("orders.csv", "order_id\nA\n")
    found = intake.find_landed

    def swapped(*arguments: Any) -> Any:
        result = found(*arguments)
        path.unlink()
        path.symlink_to("/etc/hostname")
        return result

    monkeypatch.setattr(intake, "find_landed", swapped)
    (row,) = shop.run().held
    assert row.loaded == 0 and "cannot be opened" in (row.reason or "")


def test_a_file_that_is_still_being_written_is_held(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop.land("orders.csv", "order_id\nA\n")
    reading = Worker.parse

    def grown(worker: Worker, job: Any) -> Any:
        with path.open("a") as file:
            file.write("B\n")
        return reading(worker, job)

    monkeypatch.setattr(Worker, "parse", grown)
    (row,) = shop.run().held
    assert "changed while it was being read" in (row.reason or "")


def test_a_single_connector_may_have_its_files_directly_in_landing(shop: Shop) -> None:
    (shop.landing / "shop").rmdir()
    shop.land("orders.csv", "order_id\nA\n", folder=".")
    shop.options["connectors"] = "shop"
    assert [row.file for row in shop.run().files] == ["orders.csv"]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda shop: shop.land("x.csv", "x", "stranger"), "is named after no connector; known"),
        (
            lambda shop: shop.options.update(connectors="nope"),
            "there is no connector 'nope'; known",
        ),
        (lambda shop: shop.options.update(landing=shop.root / "none"), "does not exist"),
        (lambda shop: None, "there are no files"),
        (
            lambda shop: ((shop.landing / "shop").rmdir(), shop.land("a", "x", ".")),
            "no folder of a",
        ),
    ],
)
def test_a_landing_folder_that_makes_no_sense(
    shop: Shop, prepare: Callable[[Shop], object], message: str
) -> None:
    prepare(shop)
    if "landing" in shop.options:
        shop.landing = shop.options.pop("landing")
    with pytest.raises(InputError, match=message):
        shop.run()
    raw = shop.warehouse / "raw"
    assert duckdb.sql(f"select * from '{raw}/shop/orders/*.parquet'").fetchall() == []
    written = ("intake/files", "intake/rejected_rows", "quality/check_results")
    for table in (*written, "previous/publication", "previous/fct_restatements"):
        assert duckdb.sql(f"select * from '{raw}/{table}/*.parquet'").fetchall() == []
    assert len(duckdb.sql(f"select * from '{raw}/run/settings/*.parquet'").fetchall()) == 1


def test_a_warehouse_of_another_connector_is_not_mixed_up(shop: Shop) -> None:
    shop.take("orders.csv", "order_id\nA\n")
    shop.land("orders.csv", "order_id\nB\n", "other")
    shop.options["connectors"] = "other"
    with pytest.raises(InputError, match="already holds data of shop"):
        shop.run()
    shop.options["connectors"] = "shop,other"
    assert [(total.connector, total.loaded) for total in shop.run().entities if total.loaded] == [
        ("shop", 1),
        ("other", 1),
    ]


# the same, changed and vanished files


def test_an_unchanged_file_is_not_read_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.take("orders.csv", "order_id\nA\n")
    before = shop.snapshot()
    monkeypatch.setattr(Worker, "content", None)
    shop.run()
    assert shop.snapshot() == before


def test_the_same_content_counts_once_whatever_its_name(shop: Shop) -> None:
    data = b"order_id,status\nA,paid\nB,lost\n"
    shop.land("orders-b.csv", data)
    shop.run()
    shop.land("orders-c.csv.gz", gzip.compress(data))
    shop.land("orders-a.csv", data)
    report = shop.run()
    assert [
        (row.file, row.status, row.records, row.loaded, row.rejected, row.duplicate_of)
        for row in sorted(report.files, key=lambda row: row.file)
    ] == [
        ("shop/orders-a.csv", "loaded", 2, 1, 1, None),
        ("shop/orders-b.csv", "duplicate", 2, 0, 0, "shop/orders-a.csv"),
        ("shop/orders-c.csv.gz", "duplicate", 2, 0, 0, "shop/orders-a.csv"),
    ]
    assert shop.raw("order_id, _file") == [("A", "shop/orders-a.csv")]
    assert shop.rejects("file, line") == [("shop/orders-a.csv", 3)]


def test_a_changed_file_replaces_what_it_had_brought(shop: Shop) -> None:
    shop.take("orders.csv", "order_id,status\nA,paid\nB,lost\n")
    shop.land("orders-2.csv", "order_id\nC\n")
    shop.take("orders.csv", "order_id,status\nD,paid\n")
    assert shop.raw("order_id") == [("C",), ("D",)]
    assert shop.rejects() == []
    assert len(list((shop.warehouse / "raw/shop/orders").iterdir())) == 3


def test_a_changed_file_that_is_held_keeps_its_last_good_version(shop: Shop) -> None:
    shop.take("orders.csv", "order_id\nA\nB\n")
    row = shop.take("orders.csv", 'order_id\nA\n"C\n')
    assert (row.status, row.records, row.loaded) == ("held", 2, 2)
    assert row.sha256 != row.active_sha256
    assert "what an earlier version of the file brought stays" in (row.reason or "")
    assert shop.raw("order_id") == [("A",), ("B",)]
    row = shop.take("orders.csv", 'order_id\nA\n"C"\n')
    assert (row.status, row.loaded) == ("loaded", 2)
    assert shop.raw("order_id") == [("A",), ("C",)]


def test_a_vanished_file_keeps_what_it_brought(shop: Shop) -> None:
    path = shop.land("orders-old.csv", "order_id\nA\n")
    shop.take("orders.csv", "order_id\nB\n")
    path.unlink()
    assert sorted(row.status for row in shop.run().files) == ["loaded", "loaded"]
    assert sorted(shop.raw("order_id")) == [("A",), ("B",)]


def test_a_new_time_zone_or_key_reads_everything_anew(shop: Shop) -> None:
    shop.land("orders-gone.csv", "order_id,email\nB,b@x\n")
    shop.take("orders.csv", "order_id,email,ordered_at\nA,a@x,2024-07-01 12:00:00\n")
    (shop.landing / "shop" / "orders-gone.csv").unlink()
    shop.options |= {"time_zone": "Europe/Berlin", "hash_key": "new"}
    report = shop.run()
    new = [hashlib.sha256(f"new|{email}".encode()).hexdigest()[:32] for email in ("b@x", "a@x")]
    assert shop.raw("order_id, email_hash, ordered_at") == [
        ("B", new[0], None),
        ("A", new[1], datetime(2024, 7, 1, 10)),
    ]
    assert "earlier description" in (shop.file(report, "orders-gone.csv").note or "")
    shop.take("orders-gone.csv", "order_id,email\nB,b@x\n")
    assert "earlier description" not in (shop.file(shop.run(), "orders-gone.csv").note or "")


@pytest.mark.parametrize("moment", ["write_ledger", "put"])
def test_a_killed_run_is_completed_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    shop.take("orders.csv", "order_id\nA\n")
    shop.land("orders.csv", "order_id\nB\n")
    shop.land("orders-2.csv", "order_id,status\nC,lost\n")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(intake, moment, killed)
        shop.run()
    orphan = shop.warehouse / "raw/shop/orders/0123456789abcdef.parquet"
    orphan.write_bytes(b"half")
    (shop.warehouse / "build/tmp/left").write_bytes(b"over")
    report = shop.run()
    assert not report.held and shop.raw("order_id") == [("B",)]
    assert shop.rejects("file") == [("shop/orders-2.csv",)]
    assert not orphan.exists() and not (shop.warehouse / "build/tmp").exists()


def test_a_full_disk_fails_the_run_and_holds_no_file(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of a full disk, a limit of 100 bytes that the process which reads has inherited."""
    start, (limit, most) = Worker._start, resource.getrlimit(resource.RLIMIT_FSIZE)

    def cramped(worker: Worker) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
        try:
            start(worker)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))

    shop.land("orders.csv", "order_id\nA\n")
    with monkeypatch.context() as patch, pytest.raises(RegularsError, match=r"(?i)file too large"):
        patch.setattr(Worker, "_start", cramped)
        patch.setattr(intake, "Worker", Worker)
        shop.run()
    assert not shop.run().held


def test_rows_missing_from_raw_are_loaded_again(shop: Shop) -> None:
    shop.take("orders.csv", "order_id\nA\n")
    for path in (shop.warehouse / "raw/shop/orders").glob("[0-9a-f]*.parquet"):
        if path.name != "empty.parquet":
            path.unlink()
    shop.run()
    assert shop.raw("order_id") == [("A",)]


def test_everything_in_raw_is_readable_by_its_owner_only(shop: Shop) -> None:
    shop.take("orders.csv", "order_id,status\nA,lost\nB,paid\n")
    for path in (shop.warehouse / "raw").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


# the doctor


def test_the_doctor_says_what_a_run_would_do_and_touches_nothing(shop: Shop) -> None:
    shop.land("orders.csv", "order_id,amount,extra\nA,1\nB,x,\nC,y,\nD,1,\n")
    shop.land("orders-bad.csv", "id,amount\nA,1\n")
    shop.land("orders-copy.csv", "order_id,amount,extra\nA,1\nB,x,\nC,y,\nD,1,\n")
    shop.land("what.bin", "x")
    found = {(item.connector, item.entity): item for item in doctor.examine(shop.settings)}
    assert not shop.warehouse.exists()
    assert found["shop", "visits"].files == ()
    assert [file.status for file in found["shop", None].files] == ["unrecognised"]
    held, first, copy = found["shop", "orders"].files
    assert held.status == "held" and "lacks the required column order_id" in (held.reason or "")
    assert (copy.status, copy.duplicate_of) == ("duplicate", first.file)
    assert first.matched == ("order_id", "amount") and first.ignored == ("extra",)
    assert "email" in first.missing
    assert (first.records, first.loaded, first.rejected) == (4, 1, 3)
    numbers, fields = first.problems
    assert (numbers.column, numbers.rows, numbers.example_row, numbers.example_line) == (
        ("amount", 2, 2, 3)
    )
    assert (fields.column, fields.rows, fields.example_line) == (None, 1, 2)


def test_time_does_not_matter_for_the_ledger(shop: Shop) -> None:
    path = shop.land("orders.csv", "order_id\nA\n")
    shop.run()
    before = shop.snapshot()
    os.utime(path, (time.time() - 1000, time.time() - 1000))
    shop.run()
    after = shop.snapshot()
    assert {name for name in before if before[name] != after[name]} == {
        "intake/files/files.parquet"
    }
