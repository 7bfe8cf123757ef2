"""Shops written by hand, a few orders each, with figures that can be worked out in the head."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.demo.shop import write_shop
from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

Files = dict[str, list[dict[str, object]]]
Build = Callable[..., Settings]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Writes files, given by their paths below the landing folder, and builds a warehouse."""

    def write_and_build(files: Files, as_of: date | None = None, **given: Any) -> Settings:
        folder = tmp_path_factory.mktemp("shop")
        for path, lines in files.items():
            write_csv(folder / "landing" / path, lines)
        return rebuild(settings_of(folder / "landing", folder / "warehouse", **given), as_of=as_of)

    return write_and_build


def order(
    order_id: str, customer_id: str | None, ordered_at: str, **given: object
) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "customer_id": customer_id or "",
        "customer_email": "",
        "order_status": "paid",
        "currency": "USD",
        "merchandise_amount": "",
        "discount_amount": "",
        "ordered_at": ordered_at,
        "updated_at": "",
        **given,
    }


def line(order_id: str, number: int, price: object, **given: object) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "line_number": number,
        "line_type": "",
        "quantity": 1,
        "unit_price": price,
        "discount_amount": "",
        **given,
    }


def refund(refund_id: str, refunded_at: str, amount: object, **given: object) -> dict[str, Any]:
    return {
        "refund_id": refund_id,
        "order_id": "",
        "line_number": "",
        "customer_id": "",
        "currency": "",
        "amount": amount,
        "refunded_at": refunded_at,
        **given,
    }


def money(*amounts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, amounts))


def is_balanced(shop: Settings) -> bool:
    return rows(shop, "select count(*) from fct_reconciliation where not is_balanced") == [(0,)]


# A shop in New York ---------------------------------------------------------------------------

NEW_YORK: Files = {
    "files/orders_1.csv": [
        # by the clock of New York, whatever the offset of the stamp
        order("leap-day", "tess", "2024-03-01T04:30:00Z", merchandise_amount=10),
        order("no-offset", "tess", "2024-07-04 21:00:00", merchandise_amount=10),
        order("long-day-begins", "tess", "2024-11-03T04:00:00Z", merchandise_amount=10),
        order("long-day-ends", "tess", "2024-11-04T04:30:00Z", merchandise_amount=30),
        order("next-day", "tess", "2024-11-04T05:00:00Z", merchandise_amount=10),
        # delivered again in orders_2
        order("same", "rex", "2024-01-10", merchandise_amount=10),
        order("corrected", "rex", "2024-01-11", merchandise_amount=10),
        order(
            "cancelled-later",
            "rex",
            "2024-01-12",
            merchandise_amount=10,
            order_status="cancelled",
            updated_at="2024-05-02",
        ),
        order(
            "dated-wins",
            "rex",
            "2024-01-13",
            merchandise_amount=10,
            updated_at="2024-01-13 12:00:00",
        ),
        # what is sold
        order("kinds", "lin", "2024-02-01", merchandise_amount=999),
        order("card-only", "lin", "2024-02-02"),
        order("generous", "lin", "2024-02-03", discount_amount=100),
        order("thirds", "lin", "2024-02-04", discount_amount="0.10"),
        order("halves", "lin", "2024-02-05"),
        order("minus", "lin", "2024-02-06", discount_amount=3),
        order("free", "lin", "2024-02-07", merchandise_amount=0),
        order("nothing-said", "lin", "2024-02-08"),
        # given back
        order("back", "ray", "2024-01-31 23:00:00"),
        order("back-in-part", "ray", "2024-01-31 23:10:00"),
        order("void", "ray", "2024-01-31", merchandise_amount=50, order_status="voided"),
        order("later", "ray", "2024-12-31", merchandise_amount=70),
        order("tried", "guy", "2024-05-05", merchandise_amount=9, order_status="cancelled"),
    ],
    "files/orders_2.csv": [
        order("same", "rex", "2024-01-10", merchandise_amount=10),
        order("corrected", "rex", "2024-01-11", merchandise_amount=20),
        order(
            "cancelled-later", "rex", "2024-01-12", merchandise_amount=10, updated_at="2024-05-01"
        ),
        order("dated-wins", "rex", "2024-01-13", merchandise_amount=40),
    ],
    "files/order_lines.csv": [
        line("kinds", 1, 10, quantity=2),
        line("kinds", 2, 5, line_type="postage"),
        line("kinds", 3, 1, line_type="fee"),
        line("kinds", 4, 25, line_type="gift_card"),
        line("kinds", 5, -3, line_type="adjustment"),
        line("card-only", 1, 25, line_type="gift_card"),
        line("generous", 1, 10, discount_amount=5),
        line("generous", 2, 20),
        line("generous", 3, 4, line_type="postage"),
        line("thirds", 1, "3.33"),
        line("thirds", 2, "3.33"),
        line("thirds", 3, "3.33"),
        line("halves", 1, "0.335", quantity=3),
        line("halves", 2, "0.01", quantity="0.5"),
        line("minus", 1, 10, discount_amount=15),
        line("minus", 2, 20),
        line("back", 1, 40),
        line("back", 2, 4, line_type="postage"),
        line("back-in-part", 1, 30),
        line("back-in-part", 2, 20),
        line("back-in-part", 2, 20),
    ],
    "files/refunds.csv": [
        refund("only-line", "2024-02-01 00:30:00", 40, order_id="back"),
        refund("of-the-whole", "2024-02-02", 5, order_id="back-in-part"),
        refund("of-a-line", "2024-03-02", 7, order_id="back-in-part", line_number=2),
        refund("of-no-such-line", "2024-03-02", 1, order_id="back-in-part", line_number=9),
        refund("of-a-void-order", "2024-02-02", 50, order_id="void"),
        refund("of-an-unknown-order", "2024-04-01", 3, order_id="?", customer_id="ray"),
        refund("of-nobody", "2024-04-01", 2),
        refund("before-any-purchase", "2024-01-15", 4, customer_id="tess"),
        refund("of-no-buyer", "2024-05-06", 1, customer_id="guy"),
        refund("after-as-of", "2024-12-01", 30, order_id="back-in-part", line_number=1),
    ],
}


@pytest.fixture(scope="module")
def new_york(build: Build) -> Settings:
    return build(NEW_YORK, as_of=date(2024, 11, 30), time_zone="America/New_York")


def orders_of(shop: Settings, customer: str, columns: str) -> dict[str, tuple[Any, ...]]:
    found = rows(
        shop, f"select order_id, {columns} from fct_orders where customer_id = '{customer}'"
    )
    return {row[0]: row[1:] for row in found}


def test_orders_are_dated_by_the_shops_clock(new_york: Settings) -> None:
    assert orders_of(new_york, "tess", "order_date, ordered_at") == {
        "leap-day": (date(2024, 2, 29), datetime(2024, 3, 1, 4, 30)),
        "no-offset": (date(2024, 7, 4), datetime(2024, 7, 5, 1)),
        "long-day-begins": (date(2024, 11, 3), datetime(2024, 11, 3, 4)),
        "long-day-ends": (date(2024, 11, 3), datetime(2024, 11, 4, 4, 30)),
        "next-day": (date(2024, 11, 4), datetime(2024, 11, 4, 5)),
    }


def test_orders_of_one_local_day_are_one_occasion(new_york: Settings) -> None:
    numbers = orders_of(
        new_york, "tess", "order_number, purchase_number, days_since_previous_purchase"
    )

    assert numbers == {
        "leap-day": (1, 1, None),
        "no-offset": (2, 2, 126),
        "long-day-begins": (3, 3, 122),
        "long-day-ends": (4, 3, 122),
        "next-day": (5, 4, 1),
    }


def test_every_order_is_an_occasion_where_days_are_not_merged(build: Build) -> None:
    shop = build(
        NEW_YORK,
        as_of=date(2024, 11, 30),
        time_zone="America/New_York",
        merge_same_day_orders=False,
    )

    numbers = orders_of(shop, "tess", "order_number, purchase_number, days_since_previous_purchase")

    assert numbers == {
        "leap-day": (1, 1, None),
        "no-offset": (2, 2, 126),
        "long-day-begins": (3, 3, 122),
        "long-day-ends": (4, 4, 0),
        "next-day": (5, 5, 1),
    }
    assert rows(
        shop, "select order_count, purchase_count from dim_customers where customer_id = 'tess'"
    ) == [(5, 5)]
    assert is_balanced(shop)


def test_an_order_delivered_again_counts_once_as_last_updated(new_york: Settings) -> None:
    """The later updated_at counts, a row without one comes before all others; else the later
    file."""
    assert orders_of(new_york, "rex", "gross_sales, order_status, is_valid") == {
        "same": (Decimal(10), "paid", True),
        "corrected": (Decimal(20), "paid", True),
        "cancelled-later": (Decimal(10), "cancelled", False),
        "dated-wins": (Decimal(10), "paid", True),
    }


def test_only_merchandise_is_sold(new_york: Settings) -> None:
    assert rows(
        new_york,
        """
        select line_type, line_amount_order_currency, gross_sales, net_sales
        from fct_order_lines where order_id = 'kinds' order by line_number
        """,
    ) == [
        ("merchandise", *money("20", "20", "20")),
        ("postage", *money("5", "0", "0")),
        ("fee", *money("1", "0", "0")),
        ("gift_card", *money("25", "0", "0")),
        ("adjustment", *money("-3", "0", "0")),
    ]


def test_what_is_left_of_an_order_after_its_discounts(new_york: Settings) -> None:
    """Lines come before merchandise_amount, and no order is worth less than nothing by a discount
    on the whole."""
    columns = "gross_sales, discount_amount, net_sales, invalid_reason"

    assert orders_of(new_york, "lin", columns) == {
        "kinds": (*money("20", "0", "20"), None),
        "card-only": (*money("0", "0", "0"), "no merchandise value"),
        "generous": (*money("30", "30", "0"), None),
        "thirds": (*money("9.99", "0.10", "9.89"), None),
        "halves": (*money("1.02", "0", "1.02"), None),
        "minus": (*money("30", "18", "12"), None),
        "free": (*money("0", "0", "0"), "no merchandise value"),
        "nothing-said": (*money("0", "0", "0"), "no merchandise value"),
    }


def test_the_orders_discount_is_spread_over_its_merchandise_to_the_cent(
    new_york: Settings,
) -> None:
    """Running thirds of 10 cents are 3.3, 6.6 and 10, cut to 3, 6 and 10."""
    discounts = rows(
        new_york,
        """
        select order_id, list(discount_amount order by line_number) from fct_order_lines
        where order_id in ('thirds', 'generous', 'minus') group by order_id order by order_id
        """,
    )

    assert discounts == [
        ("generous", list(money("10", "20", "0"))),
        ("minus", list(money("14", "4"))),
        ("thirds", list(money("0.03", "0.03", "0.04"))),
    ]


def test_a_line_amount_is_rounded_once_half_up(new_york: Settings) -> None:
    assert rows(
        new_york,
        "select gross_sales from fct_order_lines where order_id = 'halves' order by line_number",
    ) == [money("1.01"), money("0.01")]


def test_a_refund_finds_its_line_its_order_or_stands_alone(new_york: Settings) -> None:
    found = rows(
        new_york,
        """
        select refund_id, match_rule, order_id, line_number, customer_id, is_counted, refund_date
        from fct_refunds
        """,
    )

    assert {row[0]: row[1:] for row in found} == {
        "only-line": ("line", "back", 1, "ray", True, date(2024, 2, 1)),
        "of-the-whole": ("order", "back-in-part", None, "ray", True, date(2024, 2, 2)),
        "of-a-line": ("line", "back-in-part", 2, "ray", True, date(2024, 3, 2)),
        "of-no-such-line": ("order", "back-in-part", None, "ray", True, date(2024, 3, 2)),
        "of-a-void-order": ("line", "void", 1, "ray", False, date(2024, 2, 2)),
        "of-an-unknown-order": ("none", None, None, "ray", True, date(2024, 4, 1)),
        "of-nobody": ("none", None, None, None, True, date(2024, 4, 1)),
        "before-any-purchase": ("none", None, None, "tess", True, date(2024, 1, 15)),
        "of-no-buyer": ("none", None, None, "guy", True, date(2024, 5, 6)),
    }


def test_a_refund_in_a_later_month_lowers_the_order_and_its_month(new_york: Settings) -> None:
    assert orders_of(new_york, "ray", "gross_sales, refund_amount, net_sales, is_valid") == {
        "back": (*money("40", "40", "0"), True),
        "back-in-part": (*money("50", "13", "37"), True),
        "void": (*money("50", "50", "0"), False),
    }
    assert rows(
        new_york,
        """
        select month, net_sales, unattributed_net_sales from fct_repeat_revenue_monthly
        where month in ('2024-01-01', '2024-03-01', '2024-04-01') order by month
        """,
    ) == [
        (date(2024, 1, 1), *money("73", "0")),  # ray 37, rex 10 + 20 + 10, tess -4
        (date(2024, 3, 1), *money("0", "0")),
        (date(2024, 4, 1), *money("-5", "-2")),
    ]
    assert rows(
        new_york,
        """
        select net_sales from fct_retention_cohorts
        where cohort_month = '2024-01-01' and month_since in (0, 3) order by month_since
        """,
    ) == [money("77"), money("-3")]


def test_a_refund_before_the_first_purchase_counts_in_the_cohorts_first_month(
    new_york: Settings,
) -> None:
    """February: what lin bought, and tess' 10 less her 4."""
    first_month = "cohort_month = '2024-02-01' and month_since = 0"
    february = Decimal("20") + Decimal("9.89") + Decimal("1.02") + Decimal("12") + 10 - 4

    assert rows(new_york, f"select net_sales from fct_retention_cohorts where {first_month}") == [
        (february,)
    ]
    assert rows(new_york, f"select net_sales, margin from fct_ltv_cohorts where {first_month}") == [
        (february, february)
    ]


def test_who_has_not_bought_is_a_customer_of_no_cohort(new_york: Settings) -> None:
    assert rows(
        new_york,
        """
        select order_count, purchase_count, net_sales, first_purchase_date
        from dim_customers where customer_id = 'guy'
        """,
    ) == [(0, 0, Decimal(-1), None)]
    assert rows(
        new_york, "select sum(customers) from fct_retention_cohorts where month_since = 0"
    ) == [(4,)]


def test_the_days_show_refunds_at_both_dates(new_york: Settings) -> None:
    days = rows(
        new_york,
        """
        select sales_date, orders, gross_sales, refunds_by_order_date, refunds_by_refund_date,
            net_sales_by_order_date, net_sales_by_refund_date
        from fct_sales_daily
        where sales_date = '2024-01-31' or refunds_by_refund_date > 0 order by sales_date
        """,
    )
    by_date: dict[date, list[Any]] = {}
    for day, *figures in days:
        sums = by_date.setdefault(day, [0] * len(figures))
        by_date[day] = [one + other for one, other in zip(sums, figures, strict=True)]

    assert by_date == {
        date(2024, 1, 15): [0, 0, 4, 4, -4, -4],
        date(2024, 1, 31): [2, 90, 53, 0, 37, 90],
        date(2024, 2, 1): [1, 20, 0, 40, 20, -20],
        date(2024, 2, 2): [0, 0, 0, 5, 0, -5],
        date(2024, 3, 2): [0, 0, 0, 8, 0, -8],
        date(2024, 4, 1): [0, 0, 5, 5, -5, -5],
        date(2024, 5, 6): [0, 0, 1, 1, -1, -1],
    }


def test_what_lies_after_as_of_is_not_seen(new_york: Settings) -> None:
    ((orders, refunds, last_day),) = rows(
        new_york,
        """
        select
            (select count(*) from fct_orders where order_id = 'later'),
            (select count(*) from fct_refunds where refund_id = 'after-as-of'),
            (select max(period_start) from fct_growth_accounting where period_type = 'month')
        """,
    )

    assert (orders, refunds, last_day) == (0, 0, date(2024, 11, 1))


def test_the_books_of_new_york_balance(new_york: Settings) -> None:
    assert is_balanced(new_york)
    assert rows(
        new_york,
        """
        select category, amount from fct_reconciliation
        where check_name = 'delivered refunds = refunds' order by category
        """,
    ) == [
        ("after as_of", Decimal(30)),
        ("order not valid", Decimal(50)),
        ("sale", Decimal(53)),
        ("without order", Decimal(10)),
    ]


# Several currencies ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def currencies(build: Build) -> Settings:
    return build(
        {
            "files/orders.csv": [
                order("euro", "ina", "2024-01-05", currency="EUR", merchandise_amount="10.005"),
                order("sunday", "ina", "2024-01-07", currency="jpy", merchandise_amount="999.5"),
                order("week-later", "ina", "2024-01-12", currency="JPY", merchandise_amount=500),
                order("too-late", "ina", "2024-01-13", currency="JPY", merchandise_amount=500),
                order("thirds", "ina", "2024-01-06", currency="JPY", discount_amount="10"),
                order("mils", "ina", "2024-01-05", currency="KWD", merchandise_amount="1.2345"),
            ],
            "files/order_lines.csv": [line("thirds", number, "333") for number in (1, 2, 3)],
            "files/refunds.csv": [
                refund("half", "2024-01-12", 500, order_id="sunday", currency="JPY"),
                refund("alone", "2024-01-12", 100, customer_id="ina", currency="JPY"),
            ],
            "files/exchange_rates.csv": [
                {"rate_date": day, "from_currency": given, "to_currency": taken, "rate": rate}
                for day, given, taken, rate in [
                    ("2024-01-01", "JPY", "EUR", "0.0070"),
                    ("2024-01-05", "JPY", "EUR", "0.0061"),
                    ("2024-01-05", "EUR", "KWD", "0.25"),
                ]
            ],
        },
        as_of=date(2024, 1, 31),
        reporting_currency="EUR",
    )


def test_amounts_are_rounded_to_the_minor_unit_of_their_currency(currencies: Settings) -> None:
    """No yen has cents, a dinar has a thousand fils; a rate serves for seven days and both ways."""
    net_sales = orders_of(currencies, "ina", "net_sales_order_currency, gross_sales")

    assert net_sales == {
        "euro": money("10.01", "10.01"),
        "sunday": money("500", "6.10"),  # 1000 yen, of which 500 came back
        "week-later": money("500", "3.05"),
        "too-late": (Decimal(500), Decimal(0)),
        "thirds": money("989", "6.09"),  # thrice 2.0313
        "mils": money("1.235", "4.94"),
    }


def test_a_currency_of_large_numbers(tmp_path: Path) -> None:
    """Squares of such amounts, and their sums, have more digits than money has."""
    landing, dong = tmp_path / "landing", 3_000_000  # of a euro, a hundred times too many
    write_shop(landing, customers=500, seed=5)
    file = landing / "demo" / "exchange_rates.csv"
    days = [line.split(",")[0] for line in file.read_text().splitlines()[1:]]
    rates = [f"{day},{name},VND,{dong}" for day in days for name in ("EUR", "GBP")]
    file.write_text("\n".join(["day,base,quote,rate", *rates]))
    shop = rebuild(settings_of(landing, tmp_path / "warehouse", reporting_currency="VND"))
    assert is_balanced(shop)
    ((orders, wrong),) = rows(
        shop,
        f"""
        select count(*), count(*) filter (net_sales <> net_sales_order_currency * {dong})
        from fct_orders where is_valid
        """,
    )
    assert orders > 500 and not wrong
    ((compared,),) = rows(shop, "select max(discount_ltv) from fct_discount_comparison")
    assert compared > 10 * dong


def test_an_order_without_a_rate_is_worth_nothing_and_not_something_wrong(
    currencies: Settings,
) -> None:
    """A run with checks stops there; see expectations/intermediate/int_orders__dated.yml."""
    orders = orders_of(currencies, "ina", "is_valid, invalid_reason, order_number")

    assert orders["too-late"] == (False, "no merchandise value", None)
    assert orders["week-later"][0]


def test_a_discount_in_yen_is_spread_in_whole_yen(currencies: Settings) -> None:
    assert rows(
        currencies,
        """
        select line_amount_order_currency - net_sales_order_currency, discount_amount
        from fct_order_lines where order_id = 'thirds' order by line_number
        """,
    ) == [money("3", "0.02"), money("3", "0.02"), money("4", "0.02")]


def test_a_refund_takes_the_rate_of_the_order_else_that_of_its_own_day(
    currencies: Settings,
) -> None:
    assert rows(
        currencies, "select refund_id, amount, amount_refund_currency from fct_refunds order by 1"
    ) == [("alone", *money("0.61", "100")), ("half", *money("3.05", "500"))]
    assert rows(currencies, "select net_sales from dim_customers") == [
        (
            Decimal("10.01")
            + Decimal("3.05") * 2
            + Decimal("6.03")
            + Decimal("4.94")
            - Decimal("0.61"),
        )
    ]


# Orders and nothing else ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def orders_only(build: Build) -> Settings:
    smallest = ("order_id", "customer_id", "customer_email", "ordered_at", "merchandise_amount")
    return build(
        {
            "files/orders.csv": [
                dict(zip(smallest, values, strict=True))
                for values in [
                    ("1", "old", "Ann@Example.org", "2024-01-01", 10),
                    ("2", "new", " ann@example.org ", "2024-02-01", 20),
                    ("3", "", "ANN@example.org", "2024-03-01", 30),
                    ("4", "", "guest@example.org", "2024-01-15", 5),
                    ("5", "", "Guest@example.org", "2024-02-15", 5),
                    ("6", "", "", "2024-02-20", 7),
                    ("7", "silent", "", "2024-02-20", 8),
                ]
            ]
        }
    )


def test_accounts_and_guests_of_one_address_are_one_person(orders_only: Settings) -> None:
    persons = rows(
        orders_only,
        """
        select list(order_id order by order_id) as orders, any_value(customer_id)
        from fct_orders where customer_id is not null group by customer_id order by orders
        """,
    )

    assert [orders for orders, _ in persons] == [["1", "2", "3"], ["4", "5"], ["7"]]
    assert (persons[0][1], persons[2][1]) == ("old", "silent")
    assert "guest" not in persons[1][1]
    assert rows(
        orders_only,
        """
        select purchase_count, net_sales, account_count, acquisition_channel
        from dim_customers order by purchase_count desc
        """,
    ) == [
        (3, Decimal(60), 2, "unknown"),
        (2, Decimal(10), 0, "unknown"),
        (1, Decimal(8), 1, "unknown"),
    ]


def test_orders_alone_are_enough(orders_only: Settings) -> None:
    """The only currency is the one that nobody named; each order is a line of its own."""
    assert rows(
        orders_only,
        """
        select count(*), sum(net_sales), min(reporting_currency), max(sales_channel),
            count(payment_amount), count(*) filter (where is_valid)
        from fct_orders
        """,
    ) == [(7, Decimal(85), "XXX", "unknown", 0, 7)]
    assert rows(orders_only, "select count(*), sum(line_number) from fct_order_lines") == [(7, 7)]
    assert rows(orders_only, "select count(*) from dim_products") == [(0,)]
    assert rows(orders_only, "select count(*) from fct_refunds") == [(0,)]
    assert is_balanced(orders_only)


def test_what_was_never_delivered_is_not_available_and_no_zero(orders_only: Settings) -> None:
    empty = {
        *("fct_advocacy_actions", "fct_advocacy_monthly", "fct_advocacy_value"),
        *("fct_customer_advocacy", "fct_referral_programme", "fct_referrals", "fct_referrers"),
        *("fct_order_experience", "fct_experience_effects"),
    }
    assert {name: rows(orders_only, f"from {name}") for name in empty} == {
        name: [] for name in empty
    }
    assert rows(
        orders_only, "select distinct advocacy_tier, advocacy_quadrant from dim_customers"
    ) == [("not available", "not available")]
    assert rows(
        orders_only,
        "select distinct engagement_score, experience_score, health_score > 0"
        " from fct_customer_health",
    ) == [(None, None, True)]


@pytest.fixture(scope="module")
def nobody(build: Build) -> Settings:
    return build(
        {
            "files/orders.csv": [
                order("a", None, "2024-01-31", merchandise_amount=10),
                order("b", None, "2024-01-31", merchandise_amount=20),
                order("c", None, "2024-02-01", merchandise_amount=40),
            ]
        }
    )


def test_orders_of_nobody_are_no_customer(nobody: Settings) -> None:
    """A run with checks does not publish this; see expectations/marts/dim_customers.yml."""
    for mart in (
        *("dim_customers", "fct_repurchase_rates", "fct_next_purchase_rates", "fct_purchase_gaps"),
        *("fct_retention_cohorts", "fct_ltv_windows", "fct_ltv_cohorts"),
    ):
        assert rows(nobody, f"select count(*) from {mart}") == [(0,)], mart
    assert rows(
        nobody,
        """
        select count(*), sum(new_customers + returning_customers + resurrected_customers
            + dormant_customers)
        from fct_growth_accounting
        """,
    ) == [(3, 0)]


def test_orders_of_nobody_count_in_sales(nobody: Settings) -> None:
    assert rows(
        nobody,
        """
        select sales_date, orders, customers, net_sales_by_order_date
        from fct_sales_daily order by sales_date
        """,
    ) == [(date(2024, 1, 31), 2, 0, Decimal(30)), (date(2024, 2, 1), 1, 0, Decimal(40))]
    assert rows(
        nobody,
        """
        select net_sales, repeat_net_sales, unattributed_net_sales, customers,
            returning_customer_rate
        from fct_repeat_revenue_monthly order by month
        """,
    ) == [(*money("30", "0", "30"), 0, None), (*money("40", "0", "40"), 0, None)]
    assert rows(nobody, "select count(*), count(order_number) from fct_orders") == [(3, 0)]
    assert is_balanced(nobody)


# Several connectors ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def connectors(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three sources whose keys are the same: cdnow makes the order id 7-19970101-0001."""
    folder = tmp_path_factory.mktemp("connectors")
    landing = folder / "landing"
    write_csv(
        landing / "files/orders.csv",
        [
            order("7-19970101-0001", "7", "1997-01-01", customer_email="joe@example.org"),
            order("8", "8", "1997-01-05", merchandise_amount=9),
        ],
    )
    write_csv(landing / "files/order_lines.csv", [line("7-19970101-0001", 1, 100, product_id="p")])
    write_csv(
        landing / "files/refunds.csv",
        [
            refund("r", "1997-01-05", 20, order_id="7-19970101-0001"),
            refund("s", "1997-01-05", 1, customer_id="8"),
        ],
    )
    columns = ("order_no", "customer_number", "contact_email", "state", "currency", "goods_total")
    write_csv(
        landing / "demo/orders_1997.csv",
        [
            dict(zip((*columns, "placed_at"), values, strict=True))
            for values in [
                ("7-19970101-0001", "7", "JOE@example.org", "complete", "USD", 3, "1997-01-03"),
                ("8", "", "joe@example.org", "complete", "USD", 4, "1997-01-04"),
            ]
        ],
    )
    once, twice = "00007 0001 19970101 1 11.11", "00009 0002 19970102 2 22.22"
    cdnow = landing / "cdnow"
    cdnow.mkdir()
    (cdnow / "CDNOW_sample_1.txt").write_text(f"{twice}\n{once}\n{twice}\n")
    (cdnow / "CDNOW_sample_2.txt").write_text(f"{twice}\n7 0001 19970101 1 1.00\n")
    return rebuild(settings_of(landing, folder / "warehouse"))


def test_keys_of_several_sources_do_not_meet(connectors: Settings) -> None:
    assert rows(
        connectors,
        "select order_id, customer_id, gross_sales from fct_orders where order_id like '%:7-%'"
        " order by order_id",
    ) == [
        ("cdnow:7-19970101-0001", "cdnow:7", Decimal("1")),
        ("demo:7-19970101-0001", "files:7", Decimal("3")),
        ("files:7-19970101-0001", "files:7", Decimal("100")),
    ]
    assert rows(
        connectors, "select count(*) from dim_customers where customer_id not like '%:%'"
    ) == [(0,)]


def test_an_address_is_one_person_across_sources(connectors: Settings) -> None:
    """Named by the oldest account; 8 of files and the guest's order 8 of demo are not the same."""
    assert rows(
        connectors,
        """
        select customer_id, account_count, order_count, net_sales
        from dim_customers order by customer_id
        """,
    ) == [
        ("cdnow:00007", 1, 1, Decimal("11.11")),
        ("cdnow:00009", 1, 2, Decimal("44.44")),
        ("cdnow:7", 1, 1, Decimal("1")),
        ("files:7", 2, 3, Decimal("87")),
        ("files:8", 1, 1, Decimal("8")),
    ]


def test_refunds_and_lines_stay_with_their_source(connectors: Settings) -> None:
    assert rows(
        connectors, "select refund_id, order_id, customer_id from fct_refunds order by refund_id"
    ) == [("r", "files:7-19970101-0001", "files:7"), ("s", None, "files:8")]
    assert rows(connectors, "select product_id from dim_products") == [("p",)]
    assert is_balanced(connectors)


def test_rows_without_a_key_count_as_often_as_in_the_file_with_most(connectors: Settings) -> None:
    assert rows(
        connectors,
        """
        select customer_id, count(*) from fct_orders
        where source_name = 'cdnow' group by customer_id order by customer_id
        """,
    ) == [("cdnow:00007", 1), ("cdnow:00009", 2), ("cdnow:7", 1)]
