"""Exports of a WooCommerce shop, written by hand as the extension writes them."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

# The columns of the format "Default - One Row per Item", without those of names and addresses.
HEADER = (
    "order_id,order_number_formatted,order_number,order_date,status,shipping_total,"
    "shipping_tax_total,fee_total,fee_tax_total,tax_total,discount_total,order_total,"
    "refunded_total,order_currency,payment_method,shipping_method,customer_id,billing_first_name,"
    "billing_email,billing_country,shipping_country,customer_note,item_id,item_product_id,"
    "item_name,item_sku,item_quantity,item_subtotal,item_subtotal_tax,item_total,item_total_tax,"
    "item_refunded,item_refunded_qty,item_meta,item_price,shipping_items,fee_items,tax_items,"
    "coupon_items,refunds,order_notes,download_permissions"
)
EMPTY = {
    **dict.fromkeys(HEADER.split(","), ""),
    **dict.fromkeys(["shipping_total", "fee_total", "tax_total", "refunded_total"], "0.00"),
    "customer_id": 0,
    "order_currency": "USD",
    "billing_country": "US",
    "status": "completed",
    "item_refunded": "0.00",
}
SPRING = "id:31|code:spring|amount:2.00|description:20% \\| all goods"
FULLY = "id:501|date:2024-03-20 21\\:15\\:00|amount:44.00|reason:Order fully refunded"
TWICE = (
    "id:503|date:2024-04-02 09\\:00\\:00|amount:5.50|reason:said |date\\:2020-01-01;"
    "id:502|date:2024-04-01 09\\:00\\:00|amount:5.50|reason:"
)


def order(
    order_id: int, day: str, total: str, items: list[tuple[object, ...]], **given: object
) -> list[dict[str, object]]:
    """An item is id, quantity, subtotal, total and, where given, what was refunded of it."""
    names = ["item_id", "item_quantity", "item_subtotal", "item_total", "item_refunded"]
    return [
        {
            **EMPTY,
            "order_id": order_id,
            "order_date": day if " " in day else f"{day} 12:00:00",
            "order_total": total,
            "item_product_id": 55,
            "item_name": "Mug",
            **given,
            **dict(zip(names, item, strict=False)),
        }
        for item in items
    ]


def one(item_id: int) -> list[tuple[object, ...]]:
    return [(item_id, 1, "10.00", "10.00")]


MARCH = [
    *order(101, "2024-03-01", "38.90", [(1, 3, "10.00", "8.00"), (2, 1, "20.00", "20.00")]),
    *order(102, "2024-03-05", "44.00", [(3, 1, "40.00", "40.00")], status="refunded",
           tax_total="4.00", refunded_total="44.00", refunds=FULLY),
    *order(103, "2024-03-06", "44.00",
           [(4, 1, "30.00", "30.00"), (5, 2, "10.00", "10.00", "10.00")],
           tax_total="4.00", refunded_total="11.00", refunds=TWICE),
    *order(104, "2024-03-07", "100.00", [(6, 1, "60.00", "60.00"), (7, 1, "20.00", "20.00")],
           shipping_total="20.00", refunded_total="25.00"),
    *order(105, "2024-03-08", "10.00", one(8), status="cancelled"),
    *order(106, "2024-03-08", "10.00", one(9), status="failed"),
    *order(107, "2024-03-08", "10.00", one(10), status="pending"),
    *order(108, "2024-03-08", "10.00", one(11), status="on-hold"),
    *order(109, "2024-03-08", "10.00", one(12), status="trash"),
    *order(110, "2024-03-08", "10.00", one(13), status="checkout-draft"),
    *order(111, "2024-03-09", "1500.00", [(14, 1, "1500.00", "1500.00")], order_currency="JPY",
           shipping_country="JP"),
    *order(112, "2024-03-10", "7.00", one(15), fee_total="'-3.00", billing_email="Ann@example.com"),
    *order(113, "2024-03-11", "12.50", [(16, 0, "12.50", "12.50")], item_product_id=0),
    *order(114, "2024-03-12", "10.00", one(17), status="partial-shipped"),
    *order(115, "2024-03-13", "40.00",
           [(18, 1, "30.00", "30.00"), (19, 1, "10.00", "10.00", "10.00")],
           status="refunded", refunded_total="40.00"),
]  # fmt: skip
# Order 101 was changed since: one item is gone, a coupon, postage, a fee and tax have come.
APRIL = order(
    101, "2024-03-01 23:30:00", "17.90", [(1, 3, "10.00", "8.00")], customer_id=7,
    billing_email="ann@example.com", shipping_total="5.00", fee_total="2.50", tax_total="2.40",
    discount_total="2.00", coupon_items=SPRING,
)  # fmt: skip
# An earlier export, in which another sum was given back of 104.
EARLIER = order(
    104, "2024-03-07", "100.00", [(6, 1, "60.00", "60.00", "1.00")], refunded_total="1.00"
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("woocommerce")
    landing = folder / "landing"
    write_csv(landing / "woocommerce" / "orders-export-2024-03-08.csv", EARLIER)
    write_csv(landing / "woocommerce" / "orders-export-2024-03-31.csv", MARCH)
    write_csv(landing / "woocommerce" / "orders-export-2024-04-30.csv", APRIL)
    write_csv(
        landing / "woocommerce" / "customers-export-2024-04-30.csv",
        [
            {"customer_id": 7, "first_name": "Ann", "email": "ann@example.com",
             "date_registered": "2024-02-01 03:00:00", "billing_country": "US", "order_count": 1},
            {"customer_id": 0, "email": "guest@example.com"},
            {"customer_id": 0, "email": "other@example.com"},
        ],
    )  # fmt: skip
    rate = {"from_currency": "JPY", "to_currency": "USD", "rate": "0.01"}
    write_csv(landing / "files" / "exchange_rates.csv", [{"rate_date": "2024-03-08", **rate}])
    return rebuild(
        settings_of(
            landing, folder / "warehouse", time_zone="America/New_York", reporting_currency="USD"
        ),
        as_of=date(2024, 4, 30),
    )


def test_orders_are_valued_without_tax_postage_and_fees(shop: Settings) -> None:
    found = rows(
        shop,
        "select order_id, gross_sales, discount_amount, refund_amount, net_sales"
        " from fct_orders where is_valid order by order_id",
    )
    assert found == [
        (order_id, *map(Decimal, amounts.split()))
        for order_id, amounts in [
            ("101", "10 2 0 8"),
            ("102", "40 0 40 0"),
            ("103", "40 0 10 30"),
            ("104", "80 0 20 60"),
            ("108", "10 0 0 10"),
            ("111", "15 0 0 15"),
            ("112", "10 0 0 10"),
            ("113", "12.5 0 0 12.5"),
            ("115", "40 0 40 0"),
        ]
    ]


def test_an_order_is_taken_whole_from_the_latest_export(shop: Settings) -> None:
    assert rows(
        shop,
        "select line_number, line_type, quantity, unit_price, gross_sales, discount_amount"
        " from fct_order_lines where order_id = '101' order by line_number",
    ) == [
        (0, "fee", Decimal(1), Decimal("2.5"), Decimal(0), Decimal(0)),
        (1, "merchandise", Decimal(3), Decimal("3.333333"), Decimal(10), Decimal(2)),
    ]
    assert rows(
        shop,
        "select order_date, ordered_at, shipping_amount, tax_amount, discount_code, country_code"
        " from fct_orders where order_id = '101'",
    ) == [
        (
            date(2024, 3, 1),
            datetime(2024, 3, 2, 4, 30),
            Decimal(5),
            Decimal("2.4"),
            "spring",
            "US",
        )
    ]


def test_orders_that_were_never_paid_are_kept_and_do_not_count(shop: Settings) -> None:
    assert rows(
        shop, "select order_id, invalid_reason from fct_orders where not is_valid order by order_id"
    ) == [
        ("105", "cancelled"),
        ("106", "unpaid"),
        ("107", "unpaid"),
        ("109", "voided"),
        ("110", "unpaid"),
    ]


def test_refunds_bear_the_merchandise_alone_and_the_date_of_the_latest(shop: Settings) -> None:
    assert rows(
        shop,
        "select order_id, line_number, amount, refund_date from fct_refunds"
        " order by order_id, line_number",
    ) == [
        ("102", 3, Decimal(40), date(2024, 3, 20)),
        ("103", 5, Decimal(10), date(2024, 4, 2)),
        ("104", 6, Decimal(15), date(2024, 3, 7)),
        ("104", 7, Decimal(5), date(2024, 3, 7)),
        ("115", 18, Decimal(30), date(2024, 3, 13)),
        ("115", 19, Decimal(10), date(2024, 3, 13)),
    ]


def test_an_apostrophe_before_a_minus_belongs_to_no_number(shop: Settings) -> None:
    fees = "select unit_price from fct_order_lines where order_id = '112' and line_type = 'fee'"
    assert rows(shop, fees) == [(Decimal(-3),)]


def test_a_guest_is_the_account_of_the_same_address_and_accounts_are_dated_in_utc(
    shop: Settings,
) -> None:
    assert rows(shop, "select customer_id, order_count, created_at from dim_customers") == [
        ("7", 2, datetime(2024, 2, 1, 3))
    ]
    products = "select product_id from fct_order_lines where order_id in ('112', '113')"
    assert set(rows(shop, products)) == {("55",), (None,)}


def test_a_status_that_is_not_known_is_rejected_with_its_reason(shop: Settings) -> None:
    ((column, reason),) = rows(shop, "select column_name, reason from fct_rejected_rows")
    assert column == "status" and reason.endswith("not 'partial-shipped'")


def test_the_books_balance(shop: Settings) -> None:
    assert rows(shop, "select count(*) from fct_reconciliation where not is_balanced") == [(0,)]
