"""The synthetic shop's landing files, read by plain Python, and what they say was sold.

Everything is computed anew: which record of an order is the latest, who is one person, what a line
is worth in euros after discounts and refunds.
"""

import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

from tests.definitions.history import NOTHING, Credit, History, Sale

BERLIN = ZoneInfo("Europe/Berlin")
NOT_VALID = {
    "canceled": "cancelled",
    "awaiting_payment": "unpaid",
    "fraud_confirmed": "fraud",
    "test": "test",
}
STATUSES = {"in_progress": "processing", "complete": "completed", **NOT_VALID}
PLACEHOLDER = "noemail@example.com"
Record = dict[str, Any]


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def local_day(moment: datetime) -> date:
    return moment.astimezone(BERLIN).date()


def utc(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).astimezone(UTC).replace(tzinfo=None)


def email_of(text: str | None) -> str | None:
    return (text or "").strip().lower() or None


@dataclass
class Line:
    number: int
    kind: str
    product: str | None
    amount: Decimal  # quantity x price, in the order's currency
    discount: Decimal  # on the line and its part of the order's
    gross_eur: Decimal
    discount_eur: Decimal
    cost: Decimal | None
    refunds: Decimal = NOTHING
    refunds_eur: Decimal = NOTHING

    @property
    def is_goods(self) -> bool:
        return self.kind == "goods"


@dataclass
class Order:
    order_id: str
    person: str | None
    status: str
    invalid_reason: str | None
    currency: str
    rate: Decimal
    channel: str
    source: str | None
    day: date
    moment: datetime
    lines: list[Line]
    shipping: Decimal
    tax: Decimal
    tip: Decimal
    fees: Decimal  # of payments and parcels
    payments: Decimal | None
    refunds_of_all: Decimal = NOTHING
    refunds_of_all_eur: Decimal = NOTHING
    reward_eur: Decimal = NOTHING  # for who brought the customer of this first order

    def total(self, amount: Callable[[Line], Decimal]) -> Decimal:
        return sum((amount(line) for line in self.lines if line.is_goods), NOTHING)

    @property
    def gross(self) -> Decimal:
        return self.total(lambda line: line.gross_eur)

    @property
    def discount(self) -> Decimal:
        return self.total(lambda line: line.discount_eur)

    @property
    def refunds(self) -> Decimal:
        return self.total(lambda line: line.refunds_eur) + self.refunds_of_all_eur

    @property
    def net_sales(self) -> Decimal:
        return self.gross - self.discount - self.refunds

    @property
    def net_sales_in_its_currency(self) -> Decimal:
        value = self.total(lambda line: line.amount - line.discount - line.refunds)
        return value - self.refunds_of_all

    @property
    def margin(self) -> Decimal:
        costs = self.total(lambda line: line.cost or NOTHING)
        return self.net_sales - costs - cents(self.fees * self.rate) - self.reward_eur


@dataclass(frozen=True)
class Refund:
    refund_id: str
    order_id: str | None
    line: int | None
    account: str | None
    currency: str
    reason: str
    amount: Decimal
    amount_eur: Decimal
    day: date

    @property
    def match_rule(self) -> str:
        return "none" if not self.order_id else "line" if self.line else "order"


class DemoFiles:
    def __init__(self, landing: Path) -> None:
        self.folder = landing / "demo"
        self.truth = landing / "_truth"
        planted = pq.read_table(self.truth / "planted.parquet").to_pylist()
        self.malformed = {row["key"]: row for row in planted if row["kind"] == "malformed"}

    def text(self, name: str) -> str:
        content = (self.folder / name).read_bytes()
        return (gzip.decompress(content) if name.endswith(".gz") else content).decode()

    def table(self, name: str) -> list[Record]:
        """Rows of a file of _truth."""
        found: list[Record] = pq.read_table(self.truth / f"{name}.parquet").to_pylist()
        return found

    def records(self, prefix: str) -> Iterator[Record]:
        """The sound records of an entity, file by file; an empty field is None."""
        for path in sorted(self.folder.glob(f"{prefix}*")):
            if path.suffix == ".parquet":
                found = pq.read_table(path).to_pylist()
            elif path.suffix == ".jsonl":
                found = [json.loads(line, parse_float=Decimal) for line in path.open()]
            else:
                found = list(csv.DictReader(io.StringIO(self.text(path.name), newline="")))
            for record in found:
                if self.malformed.keys().isdisjoint(
                    value for value in record.values() if isinstance(value, str)
                ):
                    yield {key: None if value == "" else value for key, value in record.items()}

    @cached_property
    def accounts(self) -> dict[str, Record]:
        found = {row["customer_number"]: row for row in self.records("customers")}
        return {
            number: {**row, "since": utc(row["registered_at"])} for number, row in found.items()
        }

    @cached_property
    def shared(self) -> set[str]:
        """Addresses that identify nobody: of more than ten accounts, or none at all."""
        carried = Counter(email_of(row["email"]) for row in self.accounts.values())
        return {PLACEHOLDER} | {email for email, n in carried.items() if email and n > 10}

    @cached_property
    def nobodys(self) -> set[str]:
        """Accounts that are named with more than ten addresses: who uses them is not known."""
        named: dict[str, set[str | None]] = defaultdict(set)
        for row in self.records("events"):
            if row["account"] and row["contact_email"]:
                named[row["account"]].add(email_of(row["contact_email"]))
        return {account for account, emails in named.items() if len(emails) > 10}

    @cached_property
    def persons(self) -> dict[str, list[str]]:
        """E-mail -> the accounts that carry it, the oldest first; others by their number."""
        found: dict[str, list[str]] = defaultdict(list)
        known = self.accounts.keys() - self.nobodys
        for number in sorted(known, key=lambda n: (self.accounts[n]["since"], n)):
            email = email_of(self.accounts[number]["email"])
            found[number if email in self.shared else email or number].append(number)
        return found

    def person(self, account: str | None, email: str | None = None) -> str | None:
        """Their oldest account; the e-mail of a guest that no account carries."""
        if account in self.nobodys:
            return None
        key = email_of(self.accounts[account]["email"]) if account else email_of(email)
        if key in self.shared:
            return account
        return self.persons[key][0] if key in self.persons else key

    @cached_property
    def rates(self) -> dict[date, Decimal]:
        return {
            datetime.strptime(row["day"], "%d.%m.%Y").date(): Decimal(row["rate"])
            for row in self.records("exchange_rates")
        }

    def rate(self, currency: str, day: date) -> Decimal:
        """Euros for one of the currency: the latest rate of the last seven days."""
        if currency == "EUR":
            return Decimal(1)
        days = (day - timedelta(days=age) for age in range(8))
        return next(self.rates[day] for day in days if day in self.rates)

    @cached_property
    def orders(self) -> dict[str, Order]:
        latest: dict[str, Record] = {}
        for row in self.records("orders"):
            known = latest.get(row["order_no"])
            if known is None or utc(known["changed_at"]) <= utc(row["changed_at"]):
                latest[row["order_no"]] = row
        items: dict[str, dict[int, Record]] = defaultdict(dict)
        for row in self.records("order_items"):
            items[row["order_no"]][row["line_no"]] = row
        paid: dict[str, list[Record]] = defaultdict(list)
        for row in self.records("payments"):
            paid[row["order_no"]].append(row)
        parcels: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.records("shipments"):
            parcels[row["order_no"]] += Decimal(row["cost"])
        found = {
            number: self._order(row, items[number], paid[number], parcels[number])
            for number, row in latest.items()
        }
        for refund in self._refunds(found):
            if refund.match_rule == "line":
                (line,) = (x for x in found[refund.order_id].lines if x.number == refund.line)
                line.refunds += refund.amount
                line.refunds_eur += refund.amount_eur
            elif refund.order_id:
                found[refund.order_id].refunds_of_all += refund.amount
                found[refund.order_id].refunds_of_all_eur += refund.amount_eur
        for number, order_id in self.first_orders_of_referrals.items():
            found[order_id].reward_eur += self.rewards.get(number, NOTHING)
        return found

    @cached_property
    def first_orders_of_referrals(self) -> dict[str, str]:
        return {
            row["referral_no"]: row["first_order_no"]
            for row in self.table("referrals")
            if row["first_order_no"]
        }

    @cached_property
    def rewards(self) -> dict[str, Decimal]:
        """Referral -> what was paid for it, in euros at the rate of the day on which it counted."""
        return {
            row["invite_no"]: cents(
                Decimal(row["reward"])
                * self.rate(
                    row["currency"],
                    local_day(datetime.fromisoformat(row["counted_at"] or row["sent_at"])),
                )
            )
            for row in self.records("referrals")
            if row["reward"]
        }

    @cached_property
    def refunds(self) -> list[Refund]:
        return list(self._refunds(self.orders))

    def _order(
        self, row: Record, items: dict[int, Record], paid: list[Record], parcels: Decimal
    ) -> Order:
        moment = utc(row["placed_at"])
        day = local_day(moment.replace(tzinfo=UTC))
        rate = self.rate(row["currency"], day)
        lines = self._lines(items, Decimal(row["coupon_amount"]), rate)
        gross = sum((line.gross_eur for line in lines), NOTHING)
        reason = NOT_VALID.get(row["state"]) or (None if gross else "no merchandise value")
        return Order(
            order_id=row["order_no"],
            person=self.person(row["customer_number"], row["contact_email"]),
            status=STATUSES[row["state"]],
            invalid_reason=reason,
            currency=row["currency"],
            rate=rate,
            channel=row["shop_channel"],
            source=row["utm_source"],
            day=day,
            moment=moment,
            lines=lines,
            shipping=cents(Decimal(row["shipping"]) * rate),
            tax=cents(Decimal(row["tax"]) * rate),
            tip=cents(Decimal(row["tip"]) * rate),
            fees=sum((Decimal(part["fee"] or 0) for part in paid), parcels),
            payments=sum((Decimal(part["amount"]) for part in paid), NOTHING) if paid else None,
        )

    def _lines(self, items: dict[int, Record], coupon: Decimal, rate: Decimal) -> list[Line]:
        """The coupon is spread in proportion to what is left after rebates: each line takes what
        the running share, cut to the cent, grows by."""
        goods = [items[number] for number in sorted(items) if items[number]["kind"] == "goods"]
        left = [int(100 * (row["pieces"] * row["list_price"] - row["rebate"])) for row in goods]
        parts: dict[int, Decimal] = {}
        for position, row in enumerate(goods):
            until, before = sum(left[: position + 1]), sum(left[:position])
            total = sum(left) or 1  # an order of no value has no coupon
            share = int(100 * coupon) * until // total - int(100 * coupon) * before // total
            parts[row["line_no"]] = row["rebate"] + Decimal(share) / 100
        lines = []
        for number, row in items.items():
            amount = row["pieces"] * row["list_price"]
            is_goods = row["kind"] == "goods"
            price = self.purchase_prices.get(row["sku"])
            lines.append(
                Line(
                    number=number,
                    kind=row["kind"],
                    product=row["sku"],
                    amount=amount,
                    discount=parts.get(number, NOTHING),
                    gross_eur=cents(amount * rate) if is_goods else NOTHING,
                    discount_eur=cents(parts[number] * rate) if is_goods else NOTHING,
                    cost=None if price is None else cents(row["pieces"] * price),
                )
            )
        return lines

    @cached_property
    def purchase_prices(self) -> dict[str, Decimal | None]:
        return {
            row["sku"]: Decimal(row["purchase_price"]) if row["purchase_price"] else None
            for row in self.records("products")
        }

    def _refunds(self, orders: dict[str, Order]) -> Iterator[Refund]:
        for row in self.records("refunds"):
            day = local_day(datetime.fromisoformat(row["refunded_at"]))
            order = orders.get(row["order_no"])
            goods = [line.number for line in order.lines if line.is_goods] if order else []
            line = row["line_no"] or (goods[0] if len(goods) == 1 else None)
            rate = order.rate if order else self.rate(row["currency"], day)
            amount = Decimal(row["amount"])
            yield Refund(
                refund_id=row["refund_no"],
                order_id=row["order_no"],
                line=line,
                account=row["account"],
                currency=row["currency"],
                reason=row["reason"],
                amount=amount,
                amount_eur=cents(amount * rate),
                day=day,
            )

    def valid_orders(self) -> list[Order]:
        return [order for order in self.orders.values() if order.invalid_reason is None]

    @cached_property
    def channels(self) -> dict[str, str]:
        """Of everybody: the channel of an account opened by the day of the first valid order, else
        that of this order."""
        first: dict[str, Order] = {}
        for order in sorted(self.valid_orders(), key=lambda order: (order.moment, order.order_id)):
            if order.person is not None:
                first.setdefault(order.person, order)
        found = {person: order.source or "unknown" for person, order in first.items()}
        for number, *_ in self.persons.values():
            opened = local_day(self.accounts[number]["since"].replace(tzinfo=UTC))
            if number not in first or opened <= first[number].day:
                found[number] = self.accounts[number]["acquired_by"]
        return found

    def history(self) -> History:
        days = [order.day for order in self.orders.values()]
        return History(
            first_day=min(days),
            as_of=max(days),
            sales=[
                Sale(
                    order.order_id,
                    order.person,
                    order.day,
                    order.moment,
                    order.net_sales,
                    order.margin,
                )
                for order in self.valid_orders()
            ],
            credits=[
                Credit(self.person(refund.account), refund.day, refund.amount_eur)
                for refund in self.refunds
                if not refund.order_id
            ],
            channels=self.channels,
        )
