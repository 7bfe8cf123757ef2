"""Sales, customers and quality marts of the synthetic shop, row by row against its landing files
and against the truth that was written beside them."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.definitions.demo_files import DemoFiles, Order, cents
from tests.definitions.history import NOTHING, differences, mart
from tests.shops import rows

EUR = "EUR"


def test_orders_are_those_of_the_truth(demo: Path, demo_files: DemoFiles) -> None:
    """The truth calls an order of nothing zero_value; its value is before refunds, in its own
    currency."""
    reasons = {"zero_value": "no merchandise value"}
    truth = {
        (row["order_no"],): (
            row["order_date"],
            row["placed_at"],
            row["currency"],
            row["is_valid"],
            reasons.get(row["invalid_reason"], row["invalid_reason"]),
            row["purchase_number"],
            row["person_id"] is None,
            row["value"] if row["currency"] == EUR else None,
        )
        for row in demo_files.table("orders")
    }

    got = mart(
        demo,
        "fct_orders",
        "order_id",
        "order_date, ordered_at, currency, is_valid, invalid_reason, purchase_number,"
        " customer_id is null, case currency when 'EUR' then gross_sales - discount_amount end",
    )

    assert differences(got, truth) == {}


def test_value_before_refunds_in_the_orders_currency_is_the_true_one(
    demo: Path, demo_files: DemoFiles
) -> None:
    truth = {(row["order_no"],): (row["value"],) for row in demo_files.table("orders")}

    got = mart(
        demo,
        "fct_orders left join (select order_id, sum(amount_refund_currency) as refunded"
        " from fct_refunds group by order_id) using (order_id)",
        "order_id",
        "net_sales_order_currency + coalesce(refunded, 0)",
    )

    assert differences(got, truth) == {}


def test_every_amount_of_an_order_follows_from_the_files(demo: Path, demo_files: DemoFiles) -> None:
    expected = {
        (order.order_id,): (
            order.gross,
            order.discount,
            order.refunds,
            order.net_sales,
            order.net_sales_in_its_currency,
            None if order.payments is None else cents(order.payments * order.rate),
            order.shipping,
            order.tax,
            order.tip,
            order.margin,
            order.total(
                lambda line: (
                    line.gross_eur - line.discount_eur if line.cost is not None else NOTHING
                )
            ),
            order.channel,
            order.status,
        )
        for order in demo_files.orders.values()
    }

    got = mart(
        demo,
        "fct_orders",
        "order_id",
        "gross_sales, discount_amount, refund_amount, net_sales, net_sales_order_currency,"
        " payment_amount, shipping_amount, tax_amount, tip_amount, contribution_margin,"
        " sales_with_known_cost, sales_channel, order_status",
    )

    assert differences(got, expected) == {}


def test_order_numbers_count_a_persons_valid_orders_by_time(
    demo: Path, demo_files: DemoFiles
) -> None:
    expected: dict[Any, Any] = {}
    placed: dict[str, list[Order]] = defaultdict(list)
    for order in demo_files.valid_orders():
        if order.person:
            placed[order.person].append(order)
    for orders in placed.values():
        orders.sort(key=lambda order: (order.moment, order.order_id))
        days = sorted({order.day for order in orders})
        for number, order in enumerate(orders, start=1):
            position = days.index(order.day)
            gap = (order.day - days[position - 1]).days if position else None
            expected[order.order_id,] = (number, position + 1, gap)
    got = mart(
        demo,
        "fct_orders",
        "order_id",
        "order_number, purchase_number, days_since_previous_purchase",
    )

    assert differences({key: row for key, row in got.items() if row != (None,) * 3}, expected) == {}


def test_lines_carry_their_part_of_the_order(demo: Path, demo_files: DemoFiles) -> None:
    kinds = {"goods": "merchandise"}
    expected = {
        (order.order_id, line.number): (
            kinds.get(line.kind, line.kind),
            line.product,
            line.amount,
            line.gross_eur,
            line.discount_eur,
            line.refunds_eur,
            line.gross_eur - line.discount_eur - line.refunds_eur,
            line.cost,
            order.invalid_reason is None,
            order.day,
        )
        for order in demo_files.orders.values()
        for line in order.lines
    }

    got = mart(
        demo,
        "fct_order_lines",
        "order_id, line_number",
        "line_type, product_id, line_amount_order_currency, gross_sales, discount_amount,"
        " refund_amount, net_sales, cost, is_valid, order_date",
    )

    assert differences(got, expected) == {}


def test_lines_add_up_to_their_order(demo: Path) -> None:
    """Refunds of a whole order stand on the order only."""
    sums = "sum(gross_sales), sum(discount_amount), sum(net_sales)"
    lines = mart(demo, "fct_order_lines group by order_id", "order_id", sums)
    orders = mart(
        demo,
        "fct_orders left join (select order_id, sum(amount) as of_all from fct_refunds"
        " where match_rule = 'order' group by order_id) using (order_id)",
        "order_id",
        "gross_sales, discount_amount, net_sales + coalesce(of_all, 0)",
    )

    assert len(orders) > 3000
    assert differences(lines, orders) == {}


def test_refunds_find_their_order_or_stand_alone(demo: Path, demo_files: DemoFiles) -> None:
    expected = {
        (refund.refund_id,): (
            refund.order_id,
            refund.line,
            refund.match_rule,
            refund.reason,
            refund.currency,
            refund.amount_eur,
            refund.amount,
            refund.day,
            demo_files.orders[refund.order_id].day if refund.order_id else None,
        )
        for refund in demo_files.refunds
    }
    detached = {row["refund_no"] for row in demo_files.table("refunds") if row["is_detached"]}

    got = mart(
        demo,
        "fct_refunds",
        "refund_id",
        "order_id, line_number, match_rule, reason, currency, amount, amount_refund_currency,"
        " refund_date, order_date",
    )

    assert differences(got, expected) == {}
    assert {refund for (refund,), row in got.items() if row[2] == "none"} == detached != set()


def test_a_refund_belongs_to_whoever_ordered_else_to_the_account_it_names(
    demo: Path, demo_files: DemoFiles
) -> None:
    named = {
        refund.refund_id: demo_files.person(refund.account)
        for refund in demo_files.refunds
        if not refund.order_id
    }

    assert named == dict(
        rows(demo, "select refund_id, customer_id from fct_refunds where order_id is null")
    )
    assert rows(
        demo,
        """
        select count(*) from fct_refunds as refunds join fct_orders as orders using (order_id)
        where refunds.customer_id is distinct from orders.customer_id
        """,
    ) == [(0,)]


def test_sales_daily_dates_refunds_both_ways(demo: Path, demo_files: DemoFiles) -> None:
    cells: dict[Any, list[Any]] = defaultdict(lambda: [0, set(), *[NOTHING] * 7])
    for order in demo_files.valid_orders():
        cell = cells[order.day, order.channel, order.currency]
        cell[0] += 1
        cell[1] |= {order.person} - {None}
        amounts = (order.gross, order.discount, order.refunds)
        for position, amount in enumerate(amounts, start=2):
            cell[position] += amount
        for position, amount in enumerate((order.shipping, order.tax, order.tip), start=6):
            cell[position] += amount
    for refund in demo_files.refunds:
        if not refund.order_id:
            cells[refund.day, "unknown", refund.currency][4] += refund.amount_eur
            cells[refund.day, "unknown", refund.currency][5] += refund.amount_eur
        elif (of := demo_files.orders[refund.order_id]).invalid_reason is None:
            cells[refund.day, of.channel, of.currency][5] += refund.amount_eur
    expected = {
        key: (
            *(orders, len(people), gross, discount, by_order, by_refund),
            *(gross - discount - by_order, gross - discount - by_refund, *charges),
        )
        for key, (orders, people, gross, discount, by_order, by_refund, *charges) in cells.items()
    }

    got = mart(
        demo,
        "fct_sales_daily",
        "sales_date, sales_channel, currency",
        "orders, customers, gross_sales, discount_amount, refunds_by_order_date,"
        " refunds_by_refund_date, net_sales_by_order_date, net_sales_by_refund_date,"
        " coalesce(shipping_amount, 0), coalesce(tax_amount, 0), coalesce(tip_amount, 0)",
    )

    assert differences(got, expected) == {}


def test_one_person_is_one_customer(demo: Path, demo_files: DemoFiles) -> None:
    """Accounts that share an e-mail, and guests who write theirs in capitals or with spaces."""
    truth = {row["order_no"]: row["person_id"] for row in demo_files.table("orders")}
    found = dict(rows(demo, "select order_id, customer_id from fct_orders"))

    assert _groups(found) == _groups(truth)
    with_account = {key: person for key, person in truth.items() if person and "@" not in person}
    assert {key: found[key] for key in with_account} == with_account
    guests = {found[key] for key, person in truth.items() if person and "@" in person}
    assert guests
    assert all(len(guest) == 32 and set(guest) <= set("0123456789abcdef") for guest in guests)


def _groups(persons: dict[str, str | None]) -> set[frozenset[str]]:
    groups: dict[str, set[str]] = defaultdict(set)
    for order, person in persons.items():
        if person is not None:
            groups[person].add(order)
    return {frozenset(orders) for orders in groups.values()}


def test_customers_sum_their_orders_and_refunds(demo: Path, demo_files: DemoFiles) -> None:
    guests = {
        order.person: customer
        for order_id, customer in rows(demo, "select order_id, customer_id from fct_orders")
        if (order := demo_files.orders[order_id]).person and "@" in str(order.person)
    }
    history = demo_files.history()
    people: dict[str, list[str]] = {numbers[0]: numbers for numbers in demo_files.persons.values()}
    people |= {str(guest): [] for guest in guests}
    credits: dict[str | None, Decimal] = defaultdict(Decimal)
    for credit in history.credits:
        credits[credit.customer] += credit.amount
    expected: dict[Any, Any] = {}
    for person, accounts in people.items():
        buyer = history.customers.get(person)
        bought = buyer.days if buyer else []
        account = demo_files.accounts.get(person)
        said = {demo_files.accounts[number]["newsletter"] for number in accounts} - {None}
        expected[guests.get(person, person),] = (
            len(accounts),
            sum(buyer.orders.values()) if buyer else 0,
            len(bought),
            (sum(buyer.sold.values()) if buyer else NOTHING) - credits[person],
            (sum(buyer.margin.values()) if buyer else NOTHING) - credits[person],
            bought[0] if bought else None,
            bought[-1] if bought else None,
            demo_files.channels.get(person, "unknown"),
            account and account["language"],
            said == {"yes"} if said else None,
            account and account["since"],
        )

    got = mart(
        demo,
        "dim_customers",
        "customer_id",
        "account_count, order_count, purchase_count, net_sales, contribution_margin,"
        " first_purchase_date, last_purchase_date, acquisition_channel, language,"
        " has_marketing_consent, created_at",
    )

    assert differences(got, expected) == {}
    assert any(len(accounts) == 2 for accounts in people.values())
    assert rows(demo, "select count(*) from dim_customers where historic_ltv <> net_sales") == [
        (0,)
    ]


def test_first_and_later_purchases_of_the_truth_are_counted(
    demo: Path, demo_files: DemoFiles
) -> None:
    """What the simulation says of each person, whose purchases on one day are one occasion."""
    truth = {
        (row["person_id"],): (row["first_purchase_date"],)
        for row in demo_files.table("customers")
        if row["kind"] == "account"
    }
    got = mart(
        demo,
        "dim_customers",
        "customer_id",
        "first_purchase_date",
    )

    assert differences({key: got.get(key, ()) for key in truth}, truth) == {}


def test_products_are_those_delivered(demo: Path, demo_files: DemoFiles) -> None:
    expected = {
        (row["sku"],): (
            row["title"],
            row["category"],
            row["brand"],
            demo_files.purchase_prices[row["sku"]],
        )
        for row in demo_files.records("products")
    }

    got = mart(demo, "dim_products", "product_id", "name, category, brand, unit_cost")

    assert differences(got, expected) == {}


def test_every_record_of_every_file_is_accounted_for(demo: Path, demo_files: DemoFiles) -> None:
    rejected: dict[str, int] = defaultdict(int)
    for row in demo_files.malformed.values():
        rejected[row["file"]] += 1
    expected = {
        (f"demo/{row['file']}",): (
            "loaded",
            row["records"],
            row["records"] - rejected[row["file"]],
            rejected[row["file"]],
        )
        for row in demo_files.table("files")
    }

    got = mart(demo, "fct_intake_files", "file", "status, records, loaded, rejected")

    assert differences(got, expected) == {}


def test_exactly_the_planted_malformed_rows_are_rejected(demo: Path, demo_files: DemoFiles) -> None:
    columns = {
        "no order date": "placed_at",
        "unknown status": "state",
        "decimal comma": "amount",
        "impossible date": "refunded_at",
        "a field too many": None,
    }
    expected = {
        (f"demo/{row['file']}", _line_of(demo_files, row["file"], key), columns[row["note"]])
        for key, row in demo_files.malformed.items()
    }

    got = rows(demo, "select file, line, column_name from fct_rejected_rows")

    assert len(got) == 5
    assert set(got) == expected


def _line_of(demo_files: DemoFiles, file: str, key: str) -> int:
    """No field of these files holds a line break."""
    (line,) = (
        number
        for number, line in enumerate(demo_files.text(file).split("\n"), start=1)
        if key in line
    )
    return line


def test_the_books_balance_at_the_sums_of_the_files(demo: Path, demo_files: DemoFiles) -> None:
    """Per currency; every row of fct_reconciliation is foretold, none is left out."""
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    orders = demo_files.orders
    for order in orders.values():
        is_valid = order.invalid_reason is None
        for line in order.lines:
            category = "order not valid" if not is_valid else line.kind.replace("goods", "sale")
            sums["delivered lines = order lines", category, order.currency] += line.amount
        if order.payments is not None:
            category = "sale" if is_valid else "order not valid"
            key = ("delivered payments = payments of orders", category, order.currency)
            sums[key] += order.payments
        if is_valid:
            key = ("lines - refunds of whole orders = orders", "net_sales", order.currency)
            sums[key] += order.net_sales_in_its_currency
            key = ("orders - refunds without order = days", "net_sales", order.currency)
            sums[key] += order.net_sales
    for refund in demo_files.refunds:
        is_valid = not refund.order_id or orders[refund.order_id].invalid_reason is None
        category = (
            "without order" if not refund.order_id else "sale" if is_valid else "order not valid"
        )
        sums["delivered refunds = refunds", category, refund.currency] += refund.amount
        if is_valid:
            key = ("refunds by order date = refunds by refund date", "refunds", refund.currency)
            sums[key] += refund.amount_eur
        if not refund.order_id:
            key = ("orders - refunds without order = days", "net_sales", refund.currency)
            sums[key] -= refund.amount_eur
    history = demo_files.history()
    shop = sum(sale.net_sales for sale in history.sales) - sum(
        credit.amount for credit in history.credits
    )
    buyers = sum((sale.net_sales for sale in history.sales if sale.customer), start=NOTHING) - sum(
        credit.amount for credit in history.credits if credit.customer in history.customers
    )
    for check, amount in {
        "orders - refunds without order = customers + unattributed": shop,
        "orders - refunds without order = months": shop,
        "buyers = value cohorts": buyers,
        "buyers = retention cohorts": buyers,
    }.items():
        sums[check, "net_sales", EUR] += amount
    for row in demo_files.table("files"):
        entity = next(name for name in ENTITIES if row["file"].startswith(name))
        sums["records = loaded + rejected", f"demo.{entity}", None] += row["records"]
    expected = {key: (amount, amount, NOTHING, True) for key, amount in sums.items()}

    got = mart(
        demo,
        "fct_reconciliation",
        "check_name, category, currency",
        "amount, other_amount, difference, is_balanced",
    )

    assert differences(got, expected) == {}


ENTITIES = (
    *("order_items", "orders", "customers", "payments", "refunds", "products", "exchange_rates"),
    *("events", "shipments", "reviews", "survey_answers", "support_tickets", "marketing_spend"),
    *("referrals", "preferences", "do_not_contact"),
)
