"""Records of a text file, and the connectors that describe them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.lib.intake import records
from dagster_project.lib.intake.connectors import load_connectors
from dagster_project.lib.intake.landing import Held
from dagster_project.lib.intake.records import Layout, Scan, read_records, scan, transcode

CSV = Layout(",", quoted=True)
PIECES = ["a", "é", ",", '"', '""', "\n", "\r\n", "\r", ',"', '",', '"\n', '"a"', '"a,\nb"']


def scanned(tmp_path: Path, text: str) -> Scan:
    path = tmp_path / "file.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return scan(str(path), CSV)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14), block=st.integers(1, 20))
def test_the_two_counts_agree_wherever_the_scan_calls_a_file_plain(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], block: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "plain.csv"
    path.write_text("".join(pieces), encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "BLOCK", block)
        counted = scan(str(path), CSV)
    if not counted.plain:
        return
    found = list(read_records(str(path), CSV))
    assert len(found) == counted.records
    assert not any(record.problem for record in found)
    if found:
        widths = [len(record.fields) for record in found]
        assert (min(widths), max(widths)) == (counted.fewest, counted.most)


@pytest.mark.parametrize(
    ("text", "records_found", "fewest", "most"),
    [
        ("", 0, 1 << 62, 0),
        ("a,b\n1,2\n\n3,4", 2 + 1, 2, 2),
        ('a,b\r\n"1\r\n,",2\r\n', 2, 2, 2),
        ('"a ""b"" c",x\n1\n', 2, 1, 2),
    ],
)
def test_counts_of_plain_files(
    tmp_path: Path, text: str, records_found: int, fewest: int, most: int
) -> None:
    ended = not text or text.endswith("\n")
    assert scanned(tmp_path, text) == Scan(records_found, fewest, most, plain=True, ended=ended)


@pytest.mark.parametrize(
    "text", ['a\n5" pipe\n', 'a, "b" \n', 'a\n"b"c\n', "a\r\nb\n", "a\rb\n", 'a\n"b\n', "a\0\n"]
)
def test_what_readers_may_take_differently_is_not_plain(tmp_path: Path, text: str) -> None:
    assert not scanned(tmp_path, text).plain


def test_a_record_knows_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text('a,b\n\n"1\n\n1",2\n3,"4""\n"\nx,y', encoding="utf-8")
    assert [(record.line, record.fields) for record in read_records(str(path), CSV)] == [
        (1, ["a", "b"]),
        (3, ["1\n\n1", "2"]),
        (6, ["3", '4"\n']),
        (8, ["x", "y"]),
    ]


def test_an_endless_line_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LINE_LIMIT", 100)
    path = tmp_path / "file.csv"
    path.write_text("a\n" + "x" * 150 + "\nb\n")
    with pytest.raises(Held, match="line longer"):
        list(read_records(str(path), CSV))


def test_transcoding_is_exact_or_refused(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes("é\r\nü".encode("utf-16"))
    assert transcode(str(source), ["utf-8"], str(target)) == str(target)
    assert target.read_bytes() == "é\r\nü".encode()
    source.write_bytes(b"ok\nno \x81\n")
    with pytest.raises(Held, match="is not cp1252: byte 0x81 at line 2, byte 7 of the file"):
        transcode(str(source), ["cp1252"], str(target))


def test_every_connector_of_the_project_can_be_read() -> None:
    connectors = load_connectors()
    assert {"files", "olist", "cdnow"} <= set(connectors)
    orders = next(item for item in connectors["files"].entities if item.name == "orders")
    assert list(orders.raw_columns)[-4:] == ["customer_email_hash", "_file", "_row", "_loaded_at"]
    assert orders.fingerprint("UTC", "a") != orders.fingerprint("UTC", "b")
    assert orders.fingerprint("UTC", "a") != orders.fingerprint("Asia/Tokyo", "a")


@pytest.mark.parametrize(
    ("connector", "path", "entity"),
    [
        ("files", "orders.csv", "orders"),
        ("files", "Orders-2024.CSV.GZ", "orders"),
        ("files", "orders/any name.parquet", "orders"),
        ("files", "order_lines.jsonl", "order_lines"),
        ("files", "orders/deep/x.csv", None),
        ("files", "reorders.csv", None),
        ("olist", "olist_orders_dataset.csv", "orders"),
        ("olist", "olist_order_items_dataset.csv.gz", "order_items"),
        ("cdnow", "CDNOW_sample.txt", "sample_transactions"),
        ("cdnow", "CDNOW_master.txt", "transactions"),
        ("cdnow", "cdnow_customers_summary.csv", None),
    ],
)
def test_a_file_belongs_to_the_entity_that_its_name_says(
    connector: str, path: str, entity: str | None
) -> None:
    found = load_connectors()[connector].entity_of(path)
    assert (found.name if found else None) == entity
