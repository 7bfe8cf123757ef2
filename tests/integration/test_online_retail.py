"""Both versions of the Online Retail data: names, sheets, formats, lines of every kind."""

import csv
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.shops import rebuild, rows, settings_of

COMMON = ["StockCode", "Description", "Quantity", "InvoiceDate"]
FIRST = ["InvoiceNo", *COMMON, "UnitPrice", "CustomerID", "Country"]
SECOND = ["Invoice", *COMMON, "Price", "Customer ID", "Country"]
UK = "United Kingdom"
TEA = ["900001", "10001", "TEA", "2", "2010-12-01 09:00:00", "5.00", "12345", UK]
SHEET = [
    TEA,
    TEA,
    ["900001", "10002A", "CUP", "1", "2010-12-01 09:01:00", "3.995", "12345", UK],
    ["900001", "POST", "POSTAGE", "1", "2010-12-01 09:00:00", "4.00", "12345", UK],
    ["900002", "10001", "TEA", "1", "2010-12-02 10:00:00", "5.50", "", "EIRE"],
    ["C900003", "10001", "TEA", "-1", "2010-12-03 10:00:00", "5.00", "12345", UK],
    ["C900003", "D", "Discount", "-1", "2010-12-03 10:00:00", "1.00", "12345", UK],
]
NEXT_SHEET = [
    *SHEET[4:],
    ["900004", "10001", "TEA", "1", "2010-12-09 12:00:00", "6.00", "12345", "Unspecified"],
    ["900005", "10002a", "damaged", "-3", "2010-12-10 12:00:00", "0", "", UK],
    ["C900006", "M", "Manual", "1", "2010-12-11 12:00:00", "7.00", "12345", UK],
    ["A900007", "B", "Adjust bad debt", "1", "2010-12-12 12:00:00", "-99.00", "", UK],
    ["C900008", "10002A", "CUP", "-1", "2010-12-11 13:00:00", "3.99", "23456", "EIRE"],
]


def write(path: Path, header: list[str], lines: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *lines])


def warehouse_of(folder: Path, **given: Any) -> Path:
    settings = settings_of(folder / "landing", folder / "warehouse", **given)
    return rebuild(settings).warehouse


@pytest.fixture(scope="module")
def second_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second version's columns, two sheets that overlap by four lines."""
    folder = tmp_path_factory.mktemp("second")
    landing = folder / "landing" / "online_retail"
    write(landing / "Year 2009-2010.csv", SECOND, SHEET)
    write(landing / "Year 2010-2011.csv", SECOND, NEXT_SHEET)
    return warehouse_of(folder)


def test_lines_of_overlapping_sheets_count_once_and_identical_lines_of_a_sheet_all(
    second_version: Path,
) -> None:
    found = rows(
        second_version,
        """
        select order_id, line_number, product_id, line_type, quantity, line_amount_order_currency
        from fct_order_lines order by order_id, line_number
        """,
    )

    assert [(*line[:4], str(line[4]), str(line[5])) for line in found] == [
        ("900001", 1, "10001", "merchandise", "2.000", "10.000"),
        ("900001", 2, "10001", "merchandise", "2.000", "10.000"),
        ("900001", 3, "10002A", "merchandise", "1.000", "4.000"),
        ("900001", 4, "POST", "postage", "1.000", "4.000"),
        ("900002", 1, "10001", "merchandise", "1.000", "5.500"),
        ("900004", 1, "10001", "merchandise", "1.000", "6.000"),
        ("900005", 1, "10002A", "adjustment", "-3.000", "0.000"),
        ("A900007", 1, "B", "adjustment", "1.000", "-99.000"),
        ("C900006", 1, "M", "adjustment", "1.000", "7.000"),
    ]


def test_an_invoice_is_an_order_of_its_earliest_line_and_valid_with_goods(
    second_version: Path,
) -> None:
    found = rows(
        second_version,
        """
        select order_id, customer_id, country_code, ordered_at, order_number, is_valid, net_sales
        from fct_orders order by order_id
        """,
    )

    assert [(*order[:6], str(order[6])) for order in found] == [
        ("900001", "12345", "GB", datetime(2010, 12, 1, 9), 1, True, "19.000"),
        ("900002", None, "IE", datetime(2010, 12, 2, 10), None, True, "5.500"),
        ("900004", "12345", None, datetime(2010, 12, 9, 12), 2, True, "6.000"),
        ("900005", None, "GB", datetime(2010, 12, 10, 12), None, False, "0.000"),
        ("A900007", None, "GB", datetime(2010, 12, 12, 12), None, False, "0.000"),
        ("C900006", "12345", "GB", datetime(2010, 12, 11, 12), None, False, "0.000"),
    ]


def test_cancelled_lines_are_refunds_at_their_own_date(second_version: Path) -> None:
    found = rows(
        second_version,
        """
        select refund_id, order_id, customer_id, match_rule, line_type, amount, is_counted,
            refund_date
        from fct_refunds order by refund_id
        """,
    )

    third = date(2010, 12, 3)
    assert [(*refund[:5], str(refund[5]), *refund[6:]) for refund in found] == [
        (
            *("C900003-1", "900001", "12345", "customer_and_product"),
            *("merchandise", "5.000", True, third),
        ),
        ("C900003-2", None, "12345", "none", "adjustment", "1.000", False, third),
        ("C900008-1", None, "23456", "none", "merchandise", "3.990", True, date(2010, 12, 11)),
    ]
    assert rows(second_version, "select customer_id, net_sales from dim_customers order by 1") == [
        ("12345", Decimal(25)),
        ("23456", Decimal("-3.99")),
    ]


def test_identical_lines_of_one_file_can_be_taken_once(tmp_path: Path) -> None:
    write(tmp_path / "landing" / "online_retail" / "a.csv", FIRST, SHEET)
    warehouse = warehouse_of(tmp_path, keep_identical_rows=False)

    assert rows(
        warehouse, "select count(*), sum(net_sales) from fct_order_lines where order_id = '900001'"
    ) == [(3, Decimal(14))]


def test_both_versions_and_formats_say_the_same(tmp_path: Path, second_version: Path) -> None:
    american = "%-m/%-d/%Y %-H:%M"

    def first_version(line: list[str]) -> list[str]:
        moment = datetime.fromisoformat(line[4]).strftime(american)
        return [*line[:4], moment, line[5], f"{line[6]}.0" if line[6] else "", line[7]]

    landing = tmp_path / "landing" / "online_retail"
    write(landing / "data.csv", FIRST, [first_version(line) for line in SHEET])
    write(tmp_path / "next.csv", SECOND, NEXT_SHEET)
    duckdb.sql(f"from read_csv('{tmp_path}/next.csv')").write_parquet(f"{landing}/next.parquet")
    warehouse = warehouse_of(tmp_path)

    for table in ("fct_orders", "fct_order_lines", "fct_refunds", "dim_customers", "dim_products"):
        assert rows(warehouse, f"from {table} order by all") == rows(
            second_version, f"from {table} order by all"
        )
