"""Hostile files, one kind each, beside a good one: loaded exactly, rejected by record, or held."""

import gzip
import json
import os
import socket
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from dagster_project.lib.errors import InputError
from dagster_project.lib.intake import intake
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.landing import Held, find_landed
from dagster_project.lib.intake.worker import Worker
from tests.described import Shop, described_shop

CSV = "order_id,status,email\nA,paid,a@x\nB,paid,b@x\n"
PACKED = gzip.compress(CSV.encode(), mtime=0)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_worker: Worker) -> Shop:
    shop = described_shop(tmp_path, monkeypatch, kept_worker)
    shop.land("orders-good.csv", "order_id\nG\n")
    return shop


def reason(shop: Shop) -> str:
    """Why the one bad file is held; the good one must be loaded."""
    (row,) = shop.run().held
    assert [order for (order,) in shop.raw("order_id")] == ["G"]
    assert row.reason is not None and row.reason.isprintable() and len(row.reason) < 1200
    return row.reason


def table(*columns: tuple[str, Any]) -> pa.Table:
    return pa.Table.from_arrays(
        [pa.array(values) for _, values in columns], [n for n, _ in columns]
    )


def write_parquet(shop: Shop, name: str, content: pa.Table, **given: Any) -> Path:
    path = shop.landing / "shop" / name
    parquet.write_table(content, path, **given)
    return path


# 13: cut off


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("orders.csv", CSV[:-6], "is cut off: line 3, its last, has 2 of 3 fields"),
        ("orders.csv", CSV.encode("utf-16")[:-1], "is not utf-16"),
        ("orders.csv", CSV.encode()[:-4] + b'"b', "opened at line 3, column 8 that never closes"),
        ("orders.csv", (CSV[:-1] + "ü").encode()[:-1], "is not utf-8: byte 0xC3 at line 3"),
        ("orders.jsonl", '{"order_id": 1}\n{"order_id": 2, "sta', "is cut off: its last line"),
        ("visits.txt", "1 20250101 5\n2 2025", "is cut off: line 2, its last, has 2 of 3 fields"),
        ("orders.csv.gz", PACKED[:-9], "is a truncated gzip file"),
    ],
)
def test_a_file_that_is_cut_off_is_held(shop: Shop, name: str, data: str | bytes, why: str) -> None:
    shop.land(name, data)
    assert why in reason(shop)


@pytest.mark.parametrize("name", ["orders.csv", "orders.jsonl"])
def test_a_last_record_without_a_line_end_is_read(shop: Shop, name: str) -> None:
    data = {"orders.csv": CSV[:-1], "orders.jsonl": '{"order_id": "A"}\n{"order_id": "B"}'}[name]
    assert shop.take(name, data).loaded == 2


@pytest.mark.parametrize("cut", [1, 4, 8, 200, 5000])
def test_a_parquet_file_that_is_cut_off_is_held(shop: Shop, cut: int) -> None:
    rows = table(("order_id", [f"o{number}" for number in range(3000)]))
    path = write_parquet(shop, "orders.parquet", rows)
    os.truncate(path, path.stat().st_size - cut)
    assert "cannot be read as Parquet" in reason(shop)


# 14: records that break off or never end


def test_line_ends_of_every_kind_in_one_file(shop: Shop) -> None:
    data = b'order_id,status\r\nA,paid\nB,paid\r\nC,pa\rid\n"D\rd",paid\r\n\r\n\nE,lost\r\n'
    row = shop.take("orders.csv", data)
    assert (row.records, row.loaded, row.rejected) == (5, 3, 2)
    assert shop.raw("order_id") == [("G",), ("A",), ("B",), ("D\rd",)]
    assert shop.rejects() == [(4, 3, None), (8, 5, "status")]


def test_old_macintosh_line_ends_are_held(shop: Shop) -> None:
    shop.land("orders.csv", CSV.replace("\n", "\r"))
    assert "a carriage return that does not end a line" in reason(shop)


def test_fields_up_to_a_mebibyte_are_read_whatever_the_format(shop: Shop) -> None:
    long, longer = "x" * 1_000_000, "y" * ((1 << 20) + 1)
    shop.land("orders.csv", f"order_id\n{long}\n{longer}\n")
    shop.land("orders.jsonl", f'{{"order_id": "{long}"}}\n{{"order_id": "{longer}"}}\n')
    write_parquet(shop, "orders.parquet", table(("order_id", [long, longer])))
    assert [(row.loaded, row.rejected) for row in shop.run().files] == [(1, 0), *[(1, 1)] * 3]
    assert {order for (order,) in shop.raw("order_id")} == {"G", long}
    assert [len(text) <= 250 for (text,) in shop.rejects("reason")] == [True] * 3


def test_a_nul_is_never_loaded(shop: Shop) -> None:
    shop.land("orders.csv", b"order_id\nA\0\n")
    shop.land("orders.jsonl", '{"order_id": "A\\u0000"}\n')
    write_parquet(shop, "orders.parquet", table(("order_id", ["A\0"])))
    assert [(row.loaded, row.rejected) for row in shop.run().files] == [(1, 0), *[(0, 1)] * 3]
    assert all("NUL" in text and text.isprintable() for (text,) in shop.rejects("reason"))


@pytest.mark.parametrize("size", [100 << 20, pytest.param(2 << 30, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["orders.csv", "orders.jsonl"])
def test_a_line_without_end_is_held(shop: Shop, name: str, size: int) -> None:
    os.truncate(shop.land(name, "order_id\n"), size)
    assert "has a line longer than 64 MiB" in reason(shop)


# 15: encodings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("entity", ["orders", "notes", "letters"])
def test_a_byte_order_mark_decides(shop: Shop, entity: str, encoding: str) -> None:
    column = {"orders": "order_id", "notes": "note", "letters": "letter"}[entity]
    shop.take(f"{entity}.csv", f"{column}\nGrüße 😀\n".encode(encoding))
    assert ("Grüße 😀",) in shop.raw(column, entity)


def test_encodings_are_tried_in_order_and_strictly(shop: Shop) -> None:
    """The description says [utf-8, windows-1252]."""
    for number, encoding in enumerate(["utf-8", "windows-1252"]):
        shop.land(f"letters-{number}.csv", "letter\nGrüße für 5 €\n".encode(encoding))
    assert not shop.run().held
    assert shop.raw("letter", "letters") == [("Grüße für 5 €",)] * 2
    (row,) = [shop.take("letters-3.csv", b"letter\nM\xfcller \x81\n")]
    assert row.reason is not None
    assert "is not utf-8: byte 0xFC at line 2, byte 9 of the file" in row.reason
    assert "is not windows-1252: byte 0x81 at line 2, byte 15 of the file" in row.reason


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_held(shop: Shop, encoding: str) -> None:
    shop.land("orders.csv", CSV.encode(encoding))
    assert "is UTF-16 without a byte order mark" in reason(shop)


def test_a_connector_with_an_unknown_encoding_is_refused(shop: Shop) -> None:
    description = next(shop.root.glob("connectors/shop/*.yml"))
    description.write_text(description.read_text().replace("windows-1252", "windows-95"))
    with pytest.raises(InputError, match="windows-95"):
        load_connectors(shop.root / "connectors")


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("orders.csv", PACKED, "is compressed by gzip, whatever"),
        ("orders.csv.gz", gzip.compress(PACKED, mtime=0), "is compressed by gzip"),
        ("orders.csv", b"PK\x03\x04\x14\0", "is a ZIP archive or an Excel workbook"),
        ("orders.parquet", CSV, "cannot be read as Parquet"),
    ],
)
def test_what_is_not_what_its_name_says_is_held(
    shop: Shop, name: str, data: str | bytes, why: str
) -> None:
    shop.land(name, data)
    assert why in reason(shop)


# 16: columns and numbers


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("order_id,email,email", "has the column 'email' twice"),
        ("order_id,email,EMAIL ", "has the column 'EMAIL' twice"),
        ("order_id,amount, Total", "has 'amount' and 'Total', which both mean amount"),
        ("email,status,amount", "lacks the required column order_id"),
    ],
)
@pytest.mark.parametrize("name", ["orders.csv", "orders.parquet", "orders.jsonl"])
def test_columns_that_are_missing_or_doubled_hold_the_file(
    shop: Shop, name: str, header: str, why: str
) -> None:
    columns = header.split(",")
    if name == "orders.csv":
        shop.land(name, f"{header}\n1,2,3\n")
    elif name == "orders.parquet":
        write_parquet(shop, name, table(*((column, ["1"]) for column in columns)))
    else:  # the same key twice in one object rejects that object alone
        objects = [f'{{"order_id": "1", "{column}": "1"}}\n' for column in columns[1:]]
        objects = objects if columns[0] == "order_id" else ['{"email": "1"}\n']
        shop.land(name, "".join(objects))
        if "'email' twice" in why:
            assert shop.run().held == ()
            return
    assert why in reason(shop)


NUMBERS = [
    "1.234,56",
    "1,234.56",
    "NaN",
    "Infinity",
    "1e5",
    "0x10",
    "\uff11\uff12",
    "12 €",
    "1_0",
    "--1",
]


@pytest.mark.parametrize("column", ["amount", "quantity"])
def test_what_is_no_plain_number_is_rejected(shop: Shop, column: str) -> None:
    data = "".join(f'"{text}","{text}"\n' for text in NUMBERS)
    row = shop.take("orders.csv", f"order_id,{column}\n{data}")
    assert (row.loaded, row.rejected) == (0, len(NUMBERS))
    assert [text.rpartition(", not ")[2] for (text,) in shop.rejects("reason")] == [
        f"'{text}'" for text in NUMBERS
    ]


def test_numbers_in_json_are_taken_as_they_are_written(shop: Shop) -> None:
    lines = [
        '{"order_id": 9007199254740993.0, "amount": 1.10}',
        '{"order_id": 123456789012345678901234567890, "amount": 123456789012.123456}',
        '{"order_id": 1.10, "amount": -0.0, "email": {"n": [1.5, "1"]}}',
        '{"order_id": "1, \\" 2.50", "amount": 0.000001}',
    ]
    bad = ['{"order_id": NaN}', '{"order_id": 1,}', '{"order_id": "A", "quantity": 1E2}']
    bad.append('{"order_id": "A", "quantity": 9007199254740993.5}')
    row = shop.take("orders.jsonl", "\n".join(lines + bad) + "\n")
    assert (row.loaded, row.rejected) == (len(lines), len(bad))
    assert shop.raw("order_id, amount, email")[1:] == [
        ("9007199254740993.0", Decimal("1.1"), None),
        ("123456789012345678901234567890", Decimal("123456789012.123456"), None),
        ("1.10", Decimal(0), '{"n":[1.5,"1"]}'),
        ('1, " 2.50', Decimal("0.000001"), None),
    ]


def test_amounts_of_every_currency_are_exact(shop: Shop) -> None:
    amounts = {"JPY": "1000", "EUR": "10.01", "KWD": "10.001", "CLF": "10.0001"}
    shop.take(
        "orders.csv",
        "order_id,currency,amount\n" + "".join(f"A,{c},{a}\n" for c, a in amounts.items()),
    )
    found = shop.raw("currency, amount")[1:]
    assert found == [(currency, Decimal(amount)) for currency, amount in amounts.items()]


# 17: names and data that look like code

NAMES = [
    "orders-{{ 1 * 0 }}.csv",
    "orders-$(touch x).csv",
    "orders-'; drop table x; --.csv",
    "orders-*?[a-z].csv",
    "orders-\\..\\x.csv",
    "orders-line\nbreak \x1b[2J.csv",
    "orders-" + "ü" * 120 + ".csv",
    "orders-%s{0}\u202e.csv",
]


def test_names_of_files_are_data(shop: Shop) -> None:
    for number, name in enumerate(NAMES):
        shop.land(name, f"order_id\n{number}\n")
        shop.land(name.replace("orders-", "orders-bad-"), "x\n")
    said: list[str] = []
    report = intake.run_intake(shop.settings, as_of=None, run_id="run", progress=said.append)
    assert all(line.isprintable() for line in said)
    assert all((row.reason or "").isprintable() for row in report.held)
    assert len(report.held) == len(NAMES)
    found = {file: order for file, order in shop.raw("_file, order_id") if order != "G"}
    assert found == {f"shop/{name}": str(number) for number, name in enumerate(NAMES)}


def test_a_name_that_is_not_utf_8_is_held(shop: Shop) -> None:
    Path(os.fsdecode(os.fsencode(shop.landing / "shop") + b"/orders-\xff.csv")).write_text(CSV)
    assert r"orders-\xff.csv its name is not valid UTF-8; rename it" in reason(shop)


@pytest.mark.parametrize("name", ["orders.csv", "orders.parquet", "orders.jsonl"])
def test_names_of_columns_and_values_are_data(shop: Shop, name: str) -> None:
    odd = ["a\"b'; --", "{{ x }}", "../../x", "a\nb\x1b[2J", "x" * 5000, "~/0", "c0", "_row", ""]
    values = [
        "'; drop table orders; --",
        "{{ 1/0 }}",
        '=cmd|"x"',
        "\\n",
        "\u202e",
        "%s",
        "*",
        "a",
        "b",
    ]
    if name == "orders.parquet":
        write_parquet(
            shop, name, table(("order_id", ["A"]), *zip(odd, ([v] for v in values), strict=True))
        )
    elif name == "orders.csv":
        fields = ['"' + text.replace('"', '""') + '"' for text in odd + values]
        shop.land(name, f"order_id,{','.join(fields[:9])}\nA,{','.join(fields[9:])}\n")
    else:
        shop.land(name, json.dumps({"order_id": "A", **dict(zip(odd, values, strict=True))}) + "\n")
    row = shop.file(shop.run(), name)
    assert (row.status, row.loaded) == ("loaded", 1)
    assert row.note is not None and row.note.isprintable() and len(row.note) < 5000
    shop.take("orders-x.csv", 'order_id,amount\n"{{ 1/0 }}\'; --",\n"A","{{ x }}\n\'; --\u202e"\n')
    assert ("{{ 1/0 }}'; --",) in shop.raw("order_id")
    assert shop.rejects("reason")[0][0].endswith(r"not '{{ x }}\n'; --\?'")


def test_a_reason_is_one_short_line(shop: Shop) -> None:
    columns = ["amount", *(f"{number}{'x' * 70}" for number in range(150))]
    shop.land("orders.csv", ",".join(columns) + "\n")
    assert "lacks the required column order_id" in reason(shop)
    assert str(Held("a\n\x1b[2J\u202e")) == r"a\n\x1b[2J\u202e"


# 18: what is no file of the folder


def test_only_regular_files_are_opened(shop: Shop) -> None:
    folder = shop.landing / "shop"
    outside = shop.root / "outside.csv"
    outside.write_text(CSV)
    (folder / "orders-link.csv").symlink_to(outside)
    (folder / "orders-loop.csv").symlink_to("orders-loop.csv")
    os.mkfifo(folder / "orders-pipe.csv")
    os.link(outside, folder / "orders-hard.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "orders-socket.csv"))
    (folder / "orders.csv").mkdir()
    (folder / "orders.csv" / "x.csv").write_text(CSV)
    wanted = {"link": "is a link", "loop": "is a link", "hard": "is a hard link"}
    wanted |= dict.fromkeys(("pipe", "socket"), "is not a regular file")
    if os.geteuid() == 0:
        os.mknod(folder / "orders-zero.csv", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        wanted["zero"] = "is not a regular file"
    report = shop.run()
    reasons = {row.file: row.reason or "" for row in report.held}
    assert len(reasons) == len(wanted)
    for name, why in wanted.items():
        assert why in reasons[f"shop/orders-{name}.csv"]
    assert shop.file(report, "orders.csv/x.csv").status == "unrecognised"
    assert shop.raw("order_id") == [("G",)]


@pytest.mark.parametrize("swap", ["content", "name", "folder"])
def test_a_file_swapped_after_it_was_found_is_not_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, swap: str
) -> None:
    path = shop.land("orders/x.csv", CSV)
    other = shop.root / "other"
    other.mkdir()
    (other / "x.csv").write_text(CSV.replace("A,", "X,"))

    def swapped(*given: Any) -> Any:
        found = find_landed(*given)
        if swap == "content":
            path.write_text(CSV.replace("A,", "X,") + "\n")
        elif swap == "name":
            (other / "x.csv").replace(path)
        else:
            path.parent.rename(shop.root / "old")
            path.parent.symlink_to(other)
        return found

    monkeypatch.setattr(intake, "find_landed", swapped)
    why = reason(shop)
    assert "cannot be opened" in why if swap == "folder" else "changed while" in why


# 19: bombs


def test_bombs_are_stopped(shop: Shop) -> None:
    many = 2001
    shop.land("orders-gzip.csv.gz", gzip.compress(b"order_id\n" + bytes(90 << 20)))
    shop.land("orders-members.csv.gz", gzip.compress(b"") * 300_000 + b"x")
    shop.land("orders-columns.csv", ",".join(["order_id", *map(str, range(100_000))]) + "\n")
    keys = ",".join(f'"k{number}":1' for number in range(60_000))
    shop.land("orders-keys.jsonl", f'{{"order_id": 1, {keys}}}\n')
    shop.land("orders-spread.jsonl", "".join(f'{{"order_id":1,"{n}":1}}\n' for n in range(many)))
    deep = pa.int32()
    for _ in range(120):
        deep = pa.list_(deep)
    nested = pa.table({"order_id": ["A"], "email": pa.array([None], deep)})
    write_parquet(shop, "orders-deep.parquet", nested)
    wide = table(("order_id", ["A"]), *((str(number), [1]) for number in range(many)))
    write_parquet(shop, "orders-wide.parquet", wide)
    rows = pa.table({"order_id": pa.DictionaryArray.from_arrays([0] * 3_000_000, ["A"])})
    write_parquet(shop, "orders-rows.parquet", rows)
    reasons = {row.file[12:].split(".")[0]: row.reason or "" for row in shop.run().held}
    wanted = {
        "gzip": "expands to more than",
        "members": "is a truncated gzip file",
        "columns": "has more than 2000 columns",
        "keys": "has more than 2000 columns",
        "spread": "has more than 2000 columns",
        "wide": "has more than 2000 columns",
        "deep": "cannot be read as Parquet: Parquet schema too deeply nested",
        "rows": "claims 3000000 rows",
    }
    assert reasons.keys() == wanted.keys()
    for name, why in wanted.items():
        assert why in reasons[name]
    assert shop.raw("order_id") == [("G",)]


def test_deep_and_huge_json_stays_with_its_line(shop: Shop) -> None:
    lines = [
        '{"order_id": "A", "email": ' + "[" * 200_000 + "]" * 200_000 + "}",
        '{"order_id": "B", "' + "k" * 500_000 + '": 1}',
        '{"order_id": "C", "amount": ' + "9" * 500_000 + "}",
        '{"order_id": "D", "order_id": "E"}',
        "[" * 500_000,
        '{"order_id": "F"}',
    ]
    row = shop.take("orders.jsonl", "\n".join(lines) + "\n")
    assert (row.loaded, row.rejected) == (3, 3)
    assert shop.raw("order_id") == [("G",), ("A",), ("B",), ("F",)]
    assert shop.rejects("line") == [(3,), (4,), (5,)]
