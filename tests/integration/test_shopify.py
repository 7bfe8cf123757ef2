"""The connector `shopify`: small shops by hand in both of its layouts, and each known trap."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from dagster_project.lib.expectations.run import run_checks
from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

Row = dict[str, Any]
Files = dict[str, list[Row]]
Build = Callable[..., Settings]

# The columns of the admin's order export, as it writes them.
EXPORT = """
Name|Email|Financial Status|Paid at|Fulfillment Status|Fulfilled at|Accepts Marketing|Currency|
Subtotal|Shipping|Taxes|Total|Discount Code|Discount Amount|Shipping Method|Created at|
Lineitem quantity|Lineitem name|Lineitem price|Lineitem compare at price|Lineitem sku|
Lineitem requires shipping|Lineitem taxable|Lineitem fulfillment status|Billing Name|
Billing Street|Billing Address1|Billing Address2|Billing Company|Billing City|Billing Zip|
Billing Province|Billing Country|Billing Phone|Shipping Name|Shipping Street|Shipping Address1|
Shipping Address2|Shipping Company|Shipping City|Shipping Zip|Shipping Province|
Shipping Country|Shipping Phone|Notes|Note Attributes|Cancelled at|Payment Method|
Payment Reference|Refunded Amount|Vendor|Outstanding Balance|Employee|Location|Device ID|Id|
Tags|Risk Level|Source|Lineitem discount|Tax 1 Name|Tax 1 Value|Tax 2 Name|Tax 2 Value|
Tax 3 Name|Tax 3 Value|Tax 4 Name|Tax 4 Value|Tax 5 Name|Tax 5 Value|Phone|Receipt Number|
Duties|Billing Province Name|Shipping Province Name|Payment ID|Payment Terms Name|
Next Payment Due At|Payment References
""".replace("\n", "").split("|")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Writes files of the connector and builds a warehouse from them."""

    def write_and_build(files: Files, as_of: date | None = None, **given: Any) -> Settings:
        folder = tmp_path_factory.mktemp("shopify")
        for path, lines in files.items():
            write_csv(folder / "landing" / path, lines)
        given = {"connectors": "shopify", "reporting_currency": "EUR", **given}
        settings = settings_of(folder / "landing", folder / "warehouse", **given)
        return rebuild(settings, as_of=as_of)

    return write_and_build


def exported(
    name: str, created_at: str, lines: Iterable[tuple[str, object, object]], **given: object
) -> list[Row]:
    """The rows of one order; a line is its SKU, quantity and price, `given` what `change` takes."""
    order = {
        "Financial Status": "paid",
        "Currency": "EUR",
        "Shipping": "0.00",
        "Taxes": "0.00",
        "Discount Amount": "0.00",
        "Created at": created_at,
        "Paid at": created_at,
        "Refunded Amount": "0.00",
        "Outstanding Balance": "0.00",
        "Id": f"90{name.removeprefix('#')}",
        "Source": "web",
    }
    order = change(order, **given)
    worth = sum(Decimal(str(quantity)) * Decimal(str(price)) for _, quantity, price in lines)
    order.setdefault("Subtotal", worth - Decimal(str(order["Discount Amount"])))
    order.setdefault("Total", Decimal(str(order["Subtotal"])) + Decimal(str(order["Shipping"])))
    found = []
    for number, (sku, quantity, price) in enumerate(lines):
        line = {
            "Lineitem sku": sku,
            "Lineitem name": f"Thing {sku}",
            "Lineitem quantity": quantity,
            "Lineitem price": price,
            "Lineitem requires shipping": "true",
            "Lineitem discount": "0.00",
        }
        email = {"Name": name, "Email": given.get("Email", "")}
        found.append(dict.fromkeys(EXPORT, "") | line | email | (order if not number else {}))
    return found


def change(row: Row, **columns: object) -> Row:
    """A row with columns changed; blanks in their names are written as underscores."""
    return row | {name.replace("_", " "): value for name, value in columns.items()}


def figures(settings: Settings, columns: str, table: str = "fct_orders") -> dict[str, Any]:
    """Columns of a mart by its first column."""
    found = rows(settings, f"select {columns} from {table}")
    assert len({row[0] for row in found}) == len(found)
    return {row[0]: tuple(_plain(value) for value in row[1:]) for row in found}


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def balanced(settings: Settings) -> bool:
    return rows(settings, "from fct_reconciliation where not is_balanced") == []


# The order export


@pytest.fixture(scope="module")
def export(build: Build) -> Settings:
    ann, two = "Ann.Lee@Example.com", [("A", 2, "10.00"), ("B", 1, "30.00")]
    gift = exported("#11", "2024-05-04 10:00:00 +0200", [("A", 1, 10), ("", 1, 25), ("", 1, 3)])
    gift[0]["Subtotal"], gift[0]["Total"] = "35.00", "38.00"
    gift[1] = change(gift[1], Lineitem_name="Gift Card - 25", Lineitem_requires_shipping="false")
    gift[2] = change(gift[2], Lineitem_name="Tip", Lineitem_requires_shipping="false")
    scripted = exported(
        "#10", "2024-05-03 10:00:00 +0200", [("A", 1, 23)], Subtotal=20, Discount_Amount=3
    )
    scripted[0] = change(scripted[0], Lineitem_discount="3.00", Discount_Amount="3.00")
    orders = [
        exported(
            "#1",
            "2024-03-31 01:30:00 +0100",
            two,
            Email=ann,
            Discount_Code="HELLO",
            Discount_Amount="5.00",
            Shipping="4.90",
            Taxes="7.97",
        ),
        exported("#2", "2024-03-31 23:30:00 -0400", [("A", 1, "12.50")], Email=f" {ann.upper()} "),
        exported("#3", "2024-04-02 10:00:00 +0200", [("A", 1, "8.00")], Source="pos"),
        exported("#4", "2024-04-03 10:00:00 +0200", [("A", 1, "9.00")], Source="pos"),
        exported("#5", "2024-04-03 11:00:00 +0200", two, Financial_Status="voided", Email=ann),
        exported(
            "#6",
            "2024-04-04 10:00:00 +0200",
            two,
            Cancelled_at="2024-04-06 10:00:00 +0200",
            Refunded_Amount="50.00",
            Financial_Status="refunded",
            Email=ann,
        ),
        exported("#7", "2024-04-05 10:00:00 +0200", two, Payment_Method="bogus", Email=ann),
        exported(
            "#8",
            "2024-05-01 10:00:00 +0200",
            [("C", 1, "100.00")],
            Financial_Status="partially_refunded",
            Refunded_Amount="55.00",
            Shipping="10.00",
            Taxes="11.00",
            Total="121.00",
            Email="bob@example.com",
        ),
        exported(
            "#9",
            "2024-05-02 10:00:00 +0200",
            [("A", 2, "10.00")],
            Discount_Code="FREESHIP",
            Discount_Amount="4.90",
            Subtotal="20.00",
            Email="bob@example.com",
        ),
        scripted,
        gift,
        exported(
            "#12",
            "2024-05-05 10:00:00 +0200",
            [("B", 1, "40.00")],
            Financial_Status="refunded",
            Refunded_Amount="45.00",
            Shipping="5.00",
            Email="bob@example.com",
        ),
        exported("#13", "2024-05-06 10:00:00 +0200", [("A", 1, 7)], Financial_Status="expired"),
        exported(
            "#14",
            "2024-05-07 10:00:00 +0200",
            [("A", 1, 6)],
            Financial_Status="partially_paid",
            Outstanding_Balance="4.00",
        ),
        exported("#15", "2024-05-08 10:00:00 +0200", [("A", 1, 5)], Financial_Status="pending"),
    ]
    customers = [
        {
            "Customer ID": "'77",
            "First Name": "Ann",
            "Email": "ann.lee@example.com",
            "Accepts Email Marketing": "yes",
            "Default Address Country Code": "DE",
        }
    ]
    products = [
        {
            "Handle": "thing",
            "Title": "Thing",
            "Vendor": "Maker",
            "Type": "Toys",
            "Variant SKU": "A",
        },
        {"Handle": "thing", "Title": "", "Vendor": "", "Type": "", "Variant SKU": "B"},
        {"Handle": "thing", "Title": "", "Vendor": "", "Type": "", "Variant SKU": ""},
    ]
    products = [
        row | {"Cost per item": cost} for row, cost in zip(products, (4, "", ""), strict=True)
    ]
    return build(
        {
            "orders_export_1.csv": [row for order in orders for row in order],
            "customers_export.csv": customers,
            "products_export_1.csv": products,
        },
        time_zone="Europe/Berlin",
    )


def test_an_exported_order_brings_what_shopify_says_it_brought(export: Settings) -> None:
    columns = "order_id, gross_sales, discount_amount, refund_amount, net_sales, payment_amount"
    expected = {  # by hand
        "901": (50, 5, 0, 45, 49.9),
        "902": (12.5, 0, 0, 12.5, 12.5),
        "903": (8, 0, 0, 8, 8),
        "904": (9, 0, 0, 9, 9),
        "908": (100, 0, 50, 50, 121),  # 55 with 10 % taxes on top
        "909": (20, 0, 0, 20, 20),  # the discount was one on shipping
        "9010": (23, 3, 0, 20, 20),  # the line's discount is in the order's
        "9011": (10, 0, 0, 10, 38),
        "9012": (40, 0, 40, 0, 45),
        "9014": (6, 0, 0, 6, 2),
        "9015": (5, 0, 0, 5, None),
    }
    assert figures(export, columns, "fct_orders where is_valid") == expected
    assert balanced(export)


def test_exported_orders_are_of_the_day_on_which_the_shop_saw_them(export: Settings) -> None:
    dates = figures(export, "order_id, order_date, ordered_at")
    assert dates["901"] == (date(2024, 3, 31), datetime(2024, 3, 31, 0, 30))
    assert dates["902"] == (date(2024, 4, 1), datetime(2024, 4, 1, 3, 30))


def test_gift_cards_and_tips_are_no_sales(export: Settings) -> None:
    query = (
        "select line_type, line_amount_order_currency from fct_order_lines where order_id = '9011'"
    )
    assert sorted(rows(export, query)) == [("fee", 3), ("gift_card", 25), ("merchandise", 10)]


def test_a_refund_without_a_date_is_of_the_order_and_its_rest_is_no_merchandise(
    export: Settings,
) -> None:
    query = (
        "select order_id, line_type, amount, refund_date, is_counted from fct_refunds order by 1, 2"
    )
    assert rows(export, query) == [
        ("9012", "adjustment", 5, date(2024, 5, 5), False),
        ("9012", "merchandise", 40, date(2024, 5, 5), True),
        ("906", "merchandise", 50, date(2024, 4, 6), False),
        ("908", "adjustment", 5, date(2024, 5, 1), False),
        ("908", "merchandise", 50, date(2024, 5, 1), True),
    ]


def test_products_are_known_by_sku_with_the_first_rows_title(export: Settings) -> None:
    found = figures(export, "product_id, name, category, brand, unit_cost", "dim_products")
    assert found["A"] == ("Thing", "Toys", "Maker", 4)
    assert found["B"] == ("Thing", "Toys", "Maker", None)
    assert found["C"] == ("Thing C", None, None, None)


def test_the_email_in_two_spellings_is_one_person(export: Settings) -> None:
    found = figures(export, "order_id, customer_id, order_number")
    assert found["901"] == ("77", 1)
    assert found["902"] == ("77", 2)
    assert rows(export, "select order_count from dim_customers where customer_id = '77'") == [(2,)]


def test_orders_without_a_customer_are_not_one_customer(export: Settings) -> None:
    found = figures(export, "order_id, customer_id, order_number")
    assert found["903"] == found["904"] == (None, None)
    query = "select net_sales, count(*) over () from dim_customers order by 1"
    assert rows(export, query) == [(Decimal("57.5"), 2), (Decimal(70), 2)]


def test_test_voided_cancelled_and_expired_orders_never_take_a_number(export: Settings) -> None:
    invalid = figures(
        export, "order_id, invalid_reason, order_number", "fct_orders where not is_valid"
    )
    assert invalid == {
        "905": ("voided", None),
        "906": ("cancelled", None),
        "907": ("test", None),
        "9013": ("unpaid", None),
    }


def test_a_cancelled_order_with_a_refund_lowers_sales_once(export: Settings) -> None:
    query = (
        "select sum(net_sales_by_order_date), sum(net_sales_by_refund_date) from fct_sales_daily"
    )
    valid = 45 + 12.5 + 8 + 9 + 50 + 20 + 20 + 10 + 0 + 6 + 5
    assert rows(export, query) == [(Decimal(valid), Decimal(valid))]


# Versions of exported orders


@pytest.fixture(scope="module")
def overlapping(build: Build) -> Settings:
    """Two exports and a sync table that overlap; two rows are rejected in the first export."""
    stamp = "2024-06-01 10:00:00 +0200"
    split = exported("#3", stamp, [("A", 1, 1), ("B", 1, 2), ("C", 1, 4)])
    lost_line = exported("#4", stamp, [("A", 1, 10), ("B", 1, 20)], Discount_Amount="4")
    lost_line[1] = change(lost_line[1], Lineitem_quantity="two")
    lost_head = exported("#5", stamp, [("A", 1, 40), ("B", 1, 50)])
    lost_head[0] = change(lost_head[0], Created_at="yesterday")
    again = exported("#6", stamp, [("A", 1, 60), ("B", 1, 70)])
    broken = [change(again[0], Created_at="yesterday"), change(again[1], Lineitem_price="99")]
    both = exported("#7", stamp, [("A", 1, 8), ("B", 1, 9)], Id="7", Refunded_Amount="17")
    both_broken = exported("#8", stamp, [("A", 1, 8), ("B", 1, 9)], Created_at="yesterday")
    first = exported("#1", stamp, [("A", 1, 10), ("B", 1, 20), ("C", 1, 30)])
    later = exported("#1", stamp, [("A", 1, 10), ("B", 1, 25)])
    other = exported("#2", stamp, [("A", 1, 5)])
    without_id = exported("#9", stamp, [("A", 1, 2)], Id="")
    return build(
        {
            "orders_export_1.csv": first + lost_line + lost_head + other + again + split[:2],
            "orders_export_2.csv": split[2:] + later + broken + both + both_broken + without_id,
            # two orders bear one name
            "order.csv": [synced(7, 15), synced(8, 3), synced(9, 2), synced(10, 6, name="#8")],
            "order_line.csv": [
                line(n, n, 1, price) for n, price in ((7, 16), (8, 3), (9, 2), (10, 6))
            ],
        }
    )


def test_the_later_export_of_an_order_counts_whole(overlapping: Settings) -> None:
    gross = figures(overlapping, "order_id, gross_sales, discount_amount")
    assert gross["901"] == (35, 0)
    assert gross["902"] == (5, 0)
    assert gross["903"] == (7, 0)
    query = "select gross_sales from fct_order_lines where order_id = '903' order by line_number"
    assert rows(overlapping, query) == [(1,), (2,), (4,)]  # the last begins the second file


def test_an_order_that_lost_a_row_never_looks_whole(overlapping: Settings) -> None:
    gross = figures(overlapping, "order_id, gross_sales, net_sales")
    assert gross["904"] == (26, 26)  # Shopify's own subtotal
    assert "905" not in gross
    assert gross["906"] == (130, 130)  # the last version that is whole
    query = """
        select currency, amount from fct_reconciliation
        where check_name = 'delivered lines = order lines' and category = 'without order'
    """
    assert rows(overlapping, query) == [("unknown", 10 + 50)]
    rejected = "select file, line, column_name from fct_rejected_rows order by 1, 2"
    assert rows(overlapping, rejected) == [
        ("orders_export_1.csv", 6, "line_quantity"),
        ("orders_export_1.csv", 7, "created_at"),
        ("orders_export_2.csv", 5, "created_at"),
        ("orders_export_2.csv", 9, "created_at"),
    ]
    assert balanced(overlapping)


def test_an_order_in_both_layouts_counts_once(overlapping: Settings) -> None:
    gross = figures(overlapping, "order_id, gross_sales, discount_amount, refund_amount")
    assert gross["7"] == (16, 1, 0)
    assert gross["8"] == (3, 0, 0)
    assert gross["9"] == (2, 0, 0)  # known by its name, for its export bears no id
    assert gross["10"] == (6, 0, 0)
    assert set(gross) == {"901", "902", "903", "904", "906", "7", "8", "9", "10"}
    query = "select order_id, count(*) from fct_order_lines where length(order_id) < 3 group by 1"
    assert sorted(rows(overlapping, query)) == [("10", 1), ("7", 1), ("8", 1), ("9", 1)]


# The tables of a sync tool

MAY = "2024-05-10 12:00:00"
ANN = "Ann.Lee@example.com"


def synced(order_id: int, subtotal: object, **given: object) -> Row:
    """A row of the table order, of customer 7 and paid unless `given` otherwise."""
    return {
        "id": order_id,
        "name": f"#{order_id}",
        "customer_id": 7,
        "email": ANN,
        "currency": "EUR",
        "financial_status": "paid",
        "fulfillment_status": "",
        "subtotal_price": subtotal,
        "total_discounts": 0,
        "total_tax": 0,
        "total_tip_received": 0,
        "total_price": subtotal,
        "taxes_included": "true",
        "source_name": "web",
        "test": "false",
        "created_at": MAY,
        "processed_at": MAY,
        "cancelled_at": "",
        "updated_at": MAY,
        "_fivetran_deleted": "false",
        **given,
    }


def line(line_id: int, order_id: int, quantity: object, price: object, **given: object) -> Row:
    return {
        "id": line_id,
        "order_id": order_id,
        "product_id": 500,
        "variant_id": 600,
        "title": "Thing",
        "gift_card": "false",
        "quantity": quantity,
        "price": price,
        "total_discount": 0,
        **given,
    }


def transaction(number: int, order_id: int, kind: str, amount: object, **given: object) -> Row:
    return {
        "id": number,
        "order_id": order_id,
        "parent_id": "",
        "kind": kind,
        "status": "success",
        "gateway": "shopify_payments",
        "amount": amount,
        "currency": "EUR",
        "test": "false",
        "created_at": MAY,
        "processed_at": MAY,
        **given,
    }


def refund(refund_id: int, order_id: int, refunded_at: str = "2024-07-02 09:00:00") -> Row:
    stamps = {"created_at": refunded_at, "processed_at": refunded_at}
    return {"id": refund_id, "order_id": order_id, "note": "too small", **stamps}


def line_refund(number: int, refund_id: int, line_id: int, subtotal: object) -> Row:
    return {"id": number, "refund_id": refund_id, "order_line_id": line_id, "subtotal": subtotal}


def adjustment(number: int, refund_id: int, kind: str, amount: object) -> Row:
    return {"id": number, "refund_id": refund_id, "kind": kind, "amount": amount}


NOBODY: Row = {"customer_id": "", "email": ""}
TABLES: Files = {
    "order.csv": [
        synced(1, 45, created_at="2024-05-01 22:30:00", processed_at="", total_discounts="9.90"),
        synced(2, 10, customer_id="", email=f" {ANN.upper()}", total_price=15, total_tax=2),
        synced(3, 8, **NOBODY, source_name="pos"),
        synced(4, 9, **NOBODY, source_name="pos"),
        synced(5, 99, test="true"),
        synced(6, 50, cancelled_at=MAY, financial_status="refunded"),
        synced(7, 99, financial_status="voided"),
        synced(8, 20, total_price=30, financial_status="refunded"),
        synced(9, 30),
        synced(10, 99, _fivetran_deleted="true"),
        synced(11, 37, total_price=40, total_tip_received=3),
        # brought along from an earlier shop
        synced(12, 6, created_at="2024-06-01 00:00:00", processed_at="2020-01-05 10:00:00"),
    ],
    "order/older.csv": [synced(3, 8, financial_status="voided", updated_at="2024-05-09 00:00:00")],
    "order_line.csv": [
        line(101, 1, 2, 10),
        line(102, 1, 1, 30),
        line(103, 2, 1, 12, total_discount=2),
        line(104, 3, 1, 8),
        line(105, 4, 1, 9),
        line(106, 5, 1, 99),
        line(107, 6, 1, 50),
        line(108, 7, 1, 99),
        line(109, 8, 1, 20),
        line(110, 9, 1, 10),
        line(111, 9, "two", 10),
        line(112, 10, 1, 99),
        line(113, 11, 1, 12),
        line(114, 11, 1, 25, gift_card="true"),
        line(115, 11, 1, 3, title="Tip", product_id="", variant_id=""),
        line(116, 12, 1, 6),
    ],
    "discount_allocation.csv": [
        {"order_line_id": 102, "index": 0, "amount": 3},
        {"order_line_id": 102, "index": 1, "amount": 2},
    ],
    "transaction.csv": [
        transaction(201, 1, "authorization", 45),
        transaction(202, 1, "capture", 45, parent_id=201),
        transaction(203, 2, "sale", 15),
        transaction(204, 2, "capture", 15, parent_id=203),
        transaction(205, 3, "sale", 3, gateway="gift_card"),
        transaction(206, 3, "sale", 5, gateway="cash"),
        transaction(207, 3, "sale", 5, status="failure"),
        transaction(208, 4, "sale", "9.70", currency="USD"),
        transaction(209, 8, "sale", 30),
        transaction(210, 8, "refund", 30, parent_id=209),
        transaction(211, 9, "sale", 30, test="true"),
        transaction(212, 11, "void", 40),
        transaction(213, 12, "authorization", 6),
    ],
    "refund.csv": [refund(301, 1), refund(302, 2), refund(306, 6), refund(308, 8)],
    "order_line_refund.csv": [
        line_refund(401, 301, 102, 25),
        line_refund(402, 302, 103, 10),
        line_refund(406, 306, 107, 50),
    ],
    "order_adjustment.csv": [
        adjustment(501, 301, "shipping_refund", "-4.90"),
        adjustment(502, 302, "refund_discrepancy", 6),  # of 10, only 4 were given back
        adjustment(508, 308, "refund_discrepancy", -30),
    ],
    "customer.csv": [
        {"id": 7, "email": ANN.lower(), "accepts_marketing": "true", "created_at": MAY},
        {"id": 8, "email": "bob@example.com", "accepts_marketing": "false", "created_at": MAY},
    ],
    "product.csv": [{"id": 500, "title": "Thing", "product_type": "Toys", "vendor": "Maker"}],
    "product_variant.csv": [{"id": 600, "inventory_item_id": 700}],
    "inventory_item.csv": [{"id": 700, "cost": 4}],
    "abandoned_checkout.csv": [
        {
            "id": 801,
            "cart_token": "c1",
            "customer_id": 8,
            "email": "bob@example.com",
            "subtotal_price": "19.90",
            "currency": "EUR",
            "presentment_currency": "USD",
            "created_at": "2024-05-20 10:00:00",
        }
    ],
}
SHOP = "_set_shop_amount"
RENAMED = {  # as the tables made from Shopify's GraphQL API name them
    "currency": "currency_code",
    "financial_status": "display_financial_status",
    "fulfillment_status": "display_fulfillment_status",
    "gift_card": "is_gift_card",
    "cost": "unit_cost_amount",
    **{
        column: f"{column}{SHOP}"
        for column in (
            "subtotal_price",
            "total_discounts",
            "total_tax",
            "total_tip_received",
            "total_price",
            "total_discount",
            "subtotal",
        )
    },
}


def graphql(tables: Files) -> Files:
    """The same shop in the columns of the tables that come from the GraphQL API."""
    found: Files = {}
    for file, lines in tables.items():
        renamed = dict(RENAMED)
        if file.startswith("order_line."):
            lines = [
                {column: value for column, value in row.items() if column != "price"}
                | {"original_total": row["price"] * (row["quantity"] if row["id"] != 111 else 1)}
                for row in lines
            ]
            renamed["original_total"] = f"original_total{SHOP}"
        elif file.startswith(("transaction", "order_adjustment")):
            renamed |= {"amount": f"amount{SHOP}", "currency": "amount_set_shop_currency_code"}
            renamed["kind"] = "kind" if file.startswith("transaction") else "reason"
        elif file.startswith("discount_allocation"):
            renamed["amount"] = f"allocated_amount{SHOP}"
        elif file.startswith("abandoned_checkout"):
            renamed |= {
                "subtotal_price": "subtotal_price_set_pres_amount",
                "presentment_currency": "subtotal_price_set_pres_currency_code",
                "currency": "subtotal_price_set_shop_currency_code",
            }
        words = {"financial_status", "kind", "status"}
        found[file] = [
            {
                renamed.get(column, column): str(value).upper() if column in words else value
                for column, value in row.items()
            }
            for row in lines
        ]
    return found


@pytest.fixture(scope="module", params=[lambda tables: tables, graphql], ids=["rest", "graphql"])
def tables(request: pytest.FixtureRequest, build: Build) -> Settings:
    return build(request.param(TABLES), as_of=date(2024, 7, 31), time_zone="Europe/Berlin")


def test_a_synced_order_brings_what_shopify_says_it_brought(tables: Settings) -> None:
    columns = "order_id, gross_sales, discount_amount, refund_amount, net_sales"
    expected = {  # by hand
        "1": (50, 5, 25, 20),  # total_discounts holds 4.90 on shipping too
        "2": (12, 2, 4, 6),
        "3": (8, 0, 0, 8),
        "4": (9, 0, 0, 9),
        "8": (20, 0, 20, 0),  # 30 given back without lines, 10 of it shipping
        "9": (30, 0, 0, 30),  # of the line that was rejected only Shopify's subtotal knows
        "11": (12, 0, 0, 12),
        "12": (6, 0, 0, 6),
    }
    assert figures(tables, columns, "fct_orders where is_valid") == expected
    assert balanced(tables)


def test_a_discount_stands_on_the_line_that_shopify_took_it_off(tables: Settings) -> None:
    query = "select line_number, net_sales from fct_order_lines where order_id = '1' order by 1"
    assert rows(tables, query) == [(101, 20), (102, 0)]


def test_shipping_and_tips_of_a_synced_order_stand_apart(tables: Settings) -> None:
    found = figures(tables, "order_id, shipping_amount, tax_amount")
    assert (found["2"], found["8"], found["11"]) == ((5, 2), (10, 0), (0, 0))
    query = (
        "select line_type, line_amount_order_currency from fct_order_lines where order_id = '11'"
    )
    assert sorted(rows(tables, query)) == [("fee", 3), ("gift_card", 25), ("merchandise", 12)]


def test_stamps_without_a_zone_are_utc_and_imported_orders_keep_their_date(
    tables: Settings,
) -> None:
    dates = figures(tables, "order_id, order_date")
    assert dates["1"] == (date(2024, 5, 2),)
    assert dates["12"] == (date(2020, 1, 5),)


def test_the_cost_of_a_line_is_that_of_its_variant(tables: Settings) -> None:
    found = figures(tables, "order_id, sales_with_known_cost, contribution_margin")
    assert found["1"] == (45, 20 - 3 * 4)


def test_a_sale_and_a_capture_are_one_payment(tables: Settings) -> None:
    paid = figures(tables, "order_id, payment_amount")
    assert paid["1"] == (45,)  # an authorization and its capture
    assert paid["2"] == (15,)  # a sale, shown again as captured
    assert paid["3"] == (8,)  # two means of payment; the third failed
    assert paid["4"] == (None,)  # paid in another currency than the order's
    assert paid["8"] == (30,)  # money given back is a refund, not a payment
    assert paid["9"] == paid["11"] == paid["12"] == (None,)  # a test; a void; only authorized
    assert rows(tables, "select count(*) from fct_orders") == [(12,)]


def test_test_voided_cancelled_and_deleted_orders_never_take_a_number(tables: Settings) -> None:
    invalid = figures(
        tables, "order_id, invalid_reason, order_number", "fct_orders where not is_valid"
    )
    assert invalid == {
        "5": ("test", None),
        "6": ("cancelled", None),
        "7": ("voided", None),
        "10": ("cancelled", None),
    }
    numbered = figures(
        tables, "order_id, order_number", "fct_orders where customer_id = '7' and is_valid"
    )
    assert numbered["12"] == (1,)
    assert sorted(number for (number,) in numbered.values()) == [1, 2, 3, 4, 5, 6]


def test_a_cancelled_synced_order_with_a_refund_lowers_sales_once(tables: Settings) -> None:
    query = (
        "select sum(net_sales_by_order_date), sum(net_sales_by_refund_date) from fct_sales_daily"
    )
    assert rows(tables, query) == [(20 + 6 + 8 + 9 + 0 + 30 + 12 + 6,) * 2]


def test_guests_and_orders_without_anybody(tables: Settings) -> None:
    found = figures(tables, "order_id, customer_id")
    assert found["2"] == ("7",)  # the e-mail in another spelling
    assert found["3"] == found["4"] == (None,)
    buyers = "select customer_id from dim_customers where order_count > 0"
    assert rows(tables, buyers) == [("7",)]


def test_an_abandoned_checkout_is_a_cart_and_no_order(tables: Settings) -> None:
    with_events = duckdb.connect(str(tables.build_file), read_only=True)
    query = """
        select event_type, customer_id, cart_id, value, currency, occurred_at
        from staging.stg_events order by event_type
    """
    seen = ("8", "c1", Decimal("19.90"), "USD", datetime(2024, 5, 20, 10))
    with with_events:
        events = with_events.sql(query).fetchall()
    assert events == [("add_to_cart", *seen), ("checkout_started", *seen)]
    assert rows(tables, "select * from fct_orders where customer_id = '8'") == []


@pytest.fixture(scope="module")
def earlier(build: Build) -> Settings:
    return build(TABLES, as_of=date(2024, 7, 1))


def test_refunds_restate_the_cohort_of_their_order(tables: Settings, earlier: Settings) -> None:
    query = "select cohort_month, month_since, net_sales from fct_ltv_cohorts where net_sales <> 0"
    first = (date(2020, 1, 1), 0, 6)
    assert sorted(rows(tables, query)) == [first, (date(2020, 1, 1), 52, 20 + 6 + 0 + 30 + 12)]
    assert sorted(rows(earlier, query)) == [first, (date(2020, 1, 1), 52, 45 + 10 + 20 + 30 + 12)]


def test_a_missing_exchange_rate_is_an_error(build: Build) -> None:
    stamp = "2024-05-10 14:00:00 +0200"
    orders = exported("#1", stamp, [("A", 1, 5)]) + exported(
        "#2", stamp, [("A", 1, 5)], Currency="JPY"
    )
    settings = build({"orders_export.csv": orders})
    failed = [check for check in run_checks(settings, "intermediate", "test") if not check.passed]
    (rateless,) = [check for check in failed if check.table_name == "int_orders__dated"]
    assert rateless.severity == "critical"
    assert rateless.failing_rows
    assert (
        "JPY" in rateless.failing_rows.read_text()
        and "2024-05-10" in rateless.failing_rows.read_text()
    )
