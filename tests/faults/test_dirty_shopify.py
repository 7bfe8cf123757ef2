"""An order export of Shopify with ten currencies, three time zones and 5 % bad rows, against counts
and sums that are made from the files by hand: nothing is lost, nothing counts twice."""

import csv
import io
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.integration.test_shopify import EXPORT
from tests.shops import contents, rebuild, rows, settings_of, write_csv

DECIMALS = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "SEK": 2, "PLN": 2}
DECIMALS |= {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}
RATES = dict(zip(DECIMALS, ("1", "0.92", "1.17", "1.03", "0.088", "0.23"), strict=False))
RATES |= {"JPY": "0.0061", "KRW": "0.00068", "KWD": "3.01", "BHD": "2.45"}
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Asia/Tokyo")]
STATUSES = ["paid"] * 14 + ["partially_refunded", "refunded", "pending", "voided", "expired"]
COUNTED = {"paid", "partially_refunded", "refunded", "pending"}
BAD_LINE = {
    "Lineitem quantity": ["two", "1e99"],
    "Lineitem price": ["1.234,56", "NaN", "$9.99", "0.0000001"],
    "Lineitem discount": ["-1.00"],
    "Name": [""],
    "Lineitem name": ["half a\0name"],
}
BAD_HEAD = {
    "Created at": ["31.03.2024 02:30", "2024-02-30 10:00:00 +0100", "2999-01-01 00:00:00 +0000"],
    "Currency": ["EURO", "€"],
    "Financial Status": ["payed"],
    "Subtotal": ["twelve"],
    "Refunded Amount": ["-5.00"],
}
SEED = 31_03_2024


@dataclass
class Order:
    """One order as an export tells of it; amounts in minor units of its currency."""

    name: str
    currency: str
    status: str
    email: str
    created_at: datetime
    lines: list[tuple[int, int]]  # quantity, price
    discount: int
    shipping: int
    refunded: int
    cancelled: bool

    @property
    def subtotal(self) -> int:
        return sum(quantity * price for quantity, price in self.lines) - self.discount

    @property
    def counts(self) -> bool:
        return self.status in COUNTED and not self.cancelled

    @property
    def net(self) -> int:
        return self.subtotal - min(self.refunded, self.subtotal)

    def money(self, minor_units: int) -> str:
        return f"{Decimal(minor_units).scaleb(-DECIMALS[self.currency]):f}"

    def rows(self) -> list[dict[str, str]]:
        stamp = f"{self.created_at:%Y-%m-%d %H:%M:%S %z}"
        head = {
            "Financial Status": self.status,
            "Currency": self.currency,
            "Subtotal": self.money(self.subtotal),
            "Shipping": self.money(self.shipping),
            "Taxes": "0",
            "Total": self.money(self.subtotal + self.shipping),
            "Discount Amount": self.money(self.discount),
            "Created at": stamp,
            "Paid at": stamp,
            "Cancelled at": stamp if self.cancelled else "",
            "Refunded Amount": self.money(self.refunded),
            "Notes": "please ring\ntwice" if len(self.lines) == 2 else "",
            "Id": self.name.replace("#", "70"),
        }
        return [
            dict.fromkeys(EXPORT, "")
            | {"Name": self.name, "Email": self.email}
            | (head if number == 0 else {})
            | {
                "Lineitem quantity": str(quantity),
                "Lineitem price": self.money(price),
                "Lineitem name": f"Thing {price % 7}",
            }
            for number, (quantity, price) in enumerate(self.lines)
        ]


@dataclass
class Export:
    """A written file: every record with its first line and what it should bring."""

    path: Path
    records: list[tuple[int, Order, int, bool]] = field(
        default_factory=list
    )  # line, .., number, bad


def make_orders(chance: random.Random) -> list[Order]:
    orders = []
    for number in range(400):
        currency = list(DECIMALS)[number % len(DECIMALS)]
        lines = [
            (chance.randint(1, 3), chance.randint(100, 20000)) for _ in range(chance.randint(1, 4))
        ]
        gross = sum(quantity * price for quantity, price in lines)
        status, shipping = chance.choice(STATUSES), chance.choice([0, 490])
        discount = chance.choice([0, 0, chance.randint(1, gross // 10)])
        total = gross - discount + shipping
        given_back = {"refunded": total, "partially_refunded": chance.randint(1, total)}
        person = f"buyer{chance.randint(1, 120)}@example.com"
        zone = ZONES[number % len(ZONES)]
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randint(0, 260_000))
        orders.append(
            Order(
                f"#{1000 + number}",
                currency,
                status,
                chance.choice([person, person.upper(), f" {person} ", ""]),
                moment.astimezone(zone),
                lines,
                discount,
                shipping,
                given_back.get(status, 0),
                chance.random() < 0.04,
            )
        )
    return orders


def changed(order: Order) -> Order:
    """The order as a later export has it: another price in its last line."""
    quantity, price = order.lines[-1]
    lines = [*order.lines[:-1], (quantity, price + 11)]
    return Order(**{**vars(order), "lines": lines, "refunded": 0, "status": "paid"})


def write_export(path: Path, orders: list[Order], chance: random.Random) -> Export:
    """Writes an export of which one row in twenty is bad."""
    export, text = Export(path), io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(EXPORT)
    for order in orders:
        for number, row in enumerate(order.rows()):
            bad = chance.random() < 0.05
            fields = list((spoilt(row, number == 0, chance) if bad else row).values())
            if bad and chance.random() < 0.2:
                fields = chance.choice([[*row.values(), "one too many"], list(row.values())[:-3]])
            export.records.append((text.getvalue().count("\n") + 1, order, number, bad))
            writer.writerow(fields)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8")
    return export


def spoilt(row: dict[str, str], is_head: bool, chance: random.Random) -> dict[str, str]:
    kinds = BAD_LINE | BAD_HEAD if is_head else BAD_LINE
    column = chance.choice(list(kinds))
    return row | {column: chance.choice(kinds[column])}


@dataclass
class Shop:
    landing: Path
    warehouse: Path
    exports: list[Export]

    def versions(self) -> dict[str, tuple[Order, list[tuple[int, int]] | None]]:
        """Each order with the version that counts and those of its lines that were readable; None
        in their place where they are worth less than Shopify says."""
        found: dict[str, tuple[Order, list[tuple[int, int]] | None]] = {}
        for export in self.exports:
            readable = defaultdict(list)
            for _, order, number, bad in export.records:
                if not bad:
                    readable[order.name].append((number, order))
            for name, records in readable.items():
                numbers, order = [number for number, _ in records], records[0][1]
                if 0 in numbers:
                    lines = [order.lines[number] for number in numbers]
                    worth = sum(quantity * price for quantity, price in lines)
                    found[name] = (order, lines if worth >= order.subtotal else None)
        return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The warehouse by the command line; the exports overlap, and one lies there twice."""
    folder = tmp_path_factory.mktemp("dirty_shopify")
    landing, chance = folder / "landing", random.Random(SEED)
    orders = make_orders(chance)
    later = [changed(order) for order in orders[200:250]] + orders[250:]
    exports = [
        write_export(landing / "shopify" / "orders_export_1.csv", orders[:250], chance),
        write_export(landing / "shopify" / "orders_export_2.csv", later, chance),
    ]
    twice = landing / "shopify" / "orders_export_1 (1).csv"
    twice.write_bytes(exports[0].path.read_bytes())
    days = [date(2023, 12, 30) + timedelta(days=7 * week) for week in range(30)]
    rates = [
        {"rate_date": day, "from_currency": currency, "to_currency": "EUR", "rate": rate}
        for day in days
        for currency, rate in RATES.items()
        if currency != "EUR"
    ]
    write_csv(landing / "files" / "exchange_rates.csv", rates)
    (landing / "regulars.toml").write_text(
        'time_zone = "Europe/Berlin"\nreporting_currency = "EUR"\n', encoding="utf-8"
    )
    rebuild(settings_of(landing, folder / "warehouse"))
    return Shop(landing, folder / "warehouse", exports)


def test_the_exports_are_as_dirty_as_they_should_be(shop: Shop) -> None:
    records = [record for export in shop.exports for record in export.records]
    assert 0.04 < sum(bad for *_, bad in records) / len(records) < 0.06
    good = [order for _, order, _, bad in records if not bad]
    assert {order.currency for order in good} == set(DECIMALS)
    assert len({order.created_at.utcoffset() for order in good}) == 5  # two zones with summer time
    lost = {order.name for _, order, number, bad in records if bad and number == 0}
    assert lost and None in [lines for _, lines in shop.versions().values()]


def test_every_record_is_loaded_rejected_or_a_proven_duplicate(shop: Shop) -> None:
    columns = "file, records, loaded, rejected, status, duplicate_of"
    query = f"select {columns} from fct_intake_files where entity = 'orders_export'"
    files = {row[0].removeprefix("shopify/"): row[1:] for row in rows(shop.warehouse, query)}
    assert len(files) == 3
    for name, (records, loaded, rejected, status, duplicate_of) in files.items():
        path = shop.landing / "shopify" / name
        with path.open(encoding="utf-8", newline="") as file:
            assert records == sum(1 for _ in csv.reader(file)) - 1
        if duplicate_of:
            assert (status, loaded, rejected) == ("duplicate", 0, 0)
            assert path.read_bytes() == (shop.landing / duplicate_of).read_bytes()
        else:
            assert (status, loaded + rejected) == ("loaded", records)
    assert Counter(status for *_, status, _ in files.values()) == {"loaded": 2, "duplicate": 1}


def test_exactly_the_bad_rows_are_rejected(shop: Shop) -> None:
    query = "select file, line from fct_rejected_rows"
    found = Counter(
        (Path(file).name.replace(" (1)", ""), line) for file, line in rows(shop.warehouse, query)
    )
    planted = Counter(
        (export.path.name, line)
        for export in shop.exports
        for line, _, _, bad in export.records
        if bad
    )
    assert found == planted


def in_minor_units(amounts: list[tuple[str, Decimal]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for currency, amount in amounts:
        scaled = amount.scaleb(DECIMALS[currency])
        assert scaled == int(scaled), (currency, amount)
        found[currency] += int(scaled)
    return found


def test_what_the_files_hold_is_in_the_marts_rejected_or_excluded_for_a_reason(shop: Shop) -> None:
    """Per currency, in minor units: files = lines in the marts + rejected + of a version that does
    not count, of an order whose first row is lost or whose lines are not all there."""
    versions = shop.versions()
    held: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    excluded: Counter[str] = Counter()
    for export in shop.exports:
        for _, order, number, bad in export.records:
            quantity, price = order.lines[number]
            held[order.currency] += quantity * price
            version, lines = versions.get(order.name, (None, None))
            if bad:
                rejected[order.currency] += quantity * price
            elif version is not order or lines is None:
                excluded[order.currency] += quantity * price
    whole = [
        order.name.replace("#", "70") for order, lines in versions.values() if lines is not None
    ]
    query = "select order_id, currency, line_amount_order_currency from fct_order_lines"
    published = [(key, (code, amount)) for key, code, amount in rows(shop.warehouse, query)]
    in_marts = in_minor_units([value for key, value in published if key in whole])
    assert held == in_marts + rejected + excluded
    assert min(rejected.values()) > 0 and excluded.total() > 0
    instead = {
        order.name.replace("#", "70"): (order.currency, order.subtotal)
        for order, lines in versions.values()
        if lines is None
    }
    assert {
        key: (value[0], in_minor_units([value])[value[0]])
        for key, value in published
        if key not in whole
    } == instead


def test_orders_bring_what_their_subtotals_say_in_every_currency(shop: Shop) -> None:
    expected: Counter[str] = Counter()
    for order, _ in shop.versions().values():
        if order.counts:
            expected[order.currency] += order.net
    query = "select currency, net_sales_order_currency from fct_orders where is_valid"
    assert in_minor_units(rows(shop.warehouse, query)) == expected
    kept = {order.name.replace("#", "70"): order for order, _ in shop.versions().values()}
    dates = dict(rows(shop.warehouse, "select order_id, order_date from fct_orders"))
    berlin = {key: order.created_at.astimezone(ZONES[0]).date() for key, order in kept.items()}
    assert dates == berlin


def test_customers_are_as_many_as_addresses(shop: Shop) -> None:
    expected = {
        order.email.strip().lower() for order, _ in shop.versions().values() if order.email.strip()
    }
    assert rows(shop.warehouse, "select count(*) from dim_customers") == [(len(expected),)]


def test_the_books_balance(shop: Shop) -> None:
    assert rows(shop.warehouse, "from fct_reconciliation where not is_balanced") == []


def test_a_rerun_and_a_clean_run_end_at_the_same_content(shop: Shop, tmp_path: Path) -> None:
    before = contents(shop.warehouse)
    assert contents(rebuild(settings_of(shop.landing, shop.warehouse))) == before
    assert contents(rebuild(settings_of(shop.landing, tmp_path / "warehouse"))) == before
