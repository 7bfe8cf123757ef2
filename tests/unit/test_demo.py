"""The synthetic shop: the same every time, and as its truth says. Everything is recounted from the
written files, by other means than those that wrote them."""

import csv
import gzip
import hashlib
import json
import math
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from dagster_project.lib.demo import activity, write_shop
from dagster_project.lib.demo import shop as shop_module
from dagster_project.lib.demo.world import CHANNELS, Behaviour, World, channel_factors
from dagster_project.lib.errors import InputError

Z = 3.29  # two-sided 99.9 %
INVALID_STATES = "('canceled', 'awaiting_payment', 'fraud_confirmed', 'test')"
ORDER_DATA = "3c2e21b9793c5775681e60bdc6201bcce3a888074cacb36b13dda2247ec4c579"
MALFORMED = ("D9999999991", "D9999999992")


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "landing"
    write_shop(folder)
    return folder


@pytest.fixture(scope="module")
def db(landing: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The exported files as views of text, their sound records only, and the truth beside them."""
    con = duckdb.connect()
    con.execute(f"set file_search_path = '{landing}'; set TimeZone = 'Europe/Berlin'")
    text = "all_varchar = true, header = true, filename = true"
    con.execute(f"""
        create table exported as
        select parse_filename(filename) as file, * exclude (filename)
        from read_csv('demo/orders_*.csv', {text}) where order_no not in {MALFORMED};
        create table latest as
        select * from exported
        qualify row_number() over (
            partition by order_no order by cast(changed_at as timestamptz) desc) = 1;
        create table exported_items as
        select parse_filename(filename) as file, * exclude (filename)
        from read_parquet('demo/order_items_*.parquet', filename = true);
        create table items as select distinct * exclude (file) from exported_items;
        create table payments as
        select * from read_csv('demo/payments*.csv.gz', {text}) where amount not like '%,%';
        create table refunds as
        select parse_filename(filename) as file, * exclude (filename) from read_json(
            'demo/refunds*.jsonl', filename = true, columns = {{refund_no: 'varchar',
            order_no: 'varchar', line_no: 'int', account: 'varchar', currency: 'varchar',
            reason: 'varchar', amount: 'decimal(18,2)', refunded_at: 'varchar'}})
        where refunded_at not like '%-02-30%';
        create table events as
        select parse_filename(filename) as file, * exclude (filename)
        from read_parquet('demo/events_*.parquet', filename = true);
        create table accounts as
        select parse_filename(filename) as file, * exclude (filename) from read_csv(
            'demo/customers*.csv', {text}, null_padding = true, strict_mode = false)
        where customer_number <> 'C999999999'
        qualify row_number() over (partition by customer_number order by file desc) = 1;
    """)
    for name in ("customers", "orders", "refunds", "planted", "files"):
        con.execute(f"create view true_{name} as from '_truth/{name}.parquet'")
    con.execute("""
        create table order_values as
        select
            order_no,
            cast(sum(pieces * list_price) as decimal(18, 2)) as goods,
            cast(sum(pieces * list_price - rebate) as decimal(18, 2)) as net,
            count(*) as goods_lines
        from items where kind = 'goods' group by order_no""")
    yield con
    con.close()


def one(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = con.sql(query).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("b", 7), ("c", 8)):
        write_shop(tmp_path / name, customers=600, days=500, seed=seed)
    first, again, other = (content(tmp_path / name) for name in "abc")
    assert first == again
    assert {path for path in first if first[path] == other[path]} == {
        "regulars.toml",
        "demo/products.csv.gz",
        "demo/exchange_rates.csv",
    }


def test_what_is_added_beside_the_orders_leaves_them_as_they_are(tmp_path: Path) -> None:
    """Every stage draws for itself. These are the orders of this seed before there were visits."""
    write_shop(tmp_path, customers=500, days=400, seed=3)
    digest = hashlib.sha256()
    for pattern in ("orders_2*", "orders_late*", "refunds*", "products.csv*"):
        for path in sorted((tmp_path / "demo").glob(pattern)):
            content = path.read_bytes()
            digest.update(gzip.decompress(content) if path.suffix == ".gz" else content)
    assert digest.hexdigest() == ORDER_DATA


def test_a_larger_shop_begins_with_the_smaller_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop_module, "CHUNK", 500)
    monkeypatch.setattr(activity, "BLOCK", 200)
    done: list[tuple[int, int]] = []
    write_shop(tmp_path / "small", customers=500)
    summary = write_shop(tmp_path / "large", customers=1200, progress=lambda *n: done.append(n))
    assert done == [(500, 1200), (1000, 1200), (1200, 1200)]
    for name in ("orders_2025.csv", "customers.csv"):
        small, large = ((tmp_path / s / "demo" / name).read_text() for s in ("small", "large"))
        assert large.startswith(small.split("malformed@")[0].rsplit("\n", 1)[0])
    for name in ("events_2024.parquet", "events_late_2025-12-31.parquet"):
        small, large = (
            {str(row) for row in pq.read_table(tmp_path / s / "demo" / name).to_pylist()}
            for s in ("small", "large")
        )
        assert small < large
    small, large = (content(tmp_path / s / "demo") for s in ("small", "large"))
    planted = [name for name in small if "planted" in name]
    assert len(planted) == 15
    assert all(small[name] == large[name] for name in planted)
    orders = pq.read_table(tmp_path / "large" / "_truth" / "orders.parquet").to_pydict()
    assert len(set(orders["order_no"])) == summary.orders == len(orders["order_no"])
    assert sum(orders["is_valid"]) == summary.valid_orders


def test_files_hold_the_records_stated(landing: Path, db: duckdb.DuckDBPyConnection) -> None:
    counted = {}
    for path in (landing / "demo").iterdir():
        opened = gzip.open if path.suffix == ".gz" else open
        if path.suffix == ".parquet":
            counted[path.name] = pq.read_metadata(path).num_rows
        elif path.suffix == ".jsonl":
            counted[path.name] = len([json.loads(line) for line in path.open()])
        else:
            with opened(path, "rt", newline="") as file:
                counted[path.name] = len(list(csv.reader(file))) - 1
    assert counted == dict(db.sql("select file, records from true_files").fetchall())


def test_orders_and_values_are_those_of_the_truth(db: duckdb.DuckDBPyConnection) -> None:
    query = f"""
        select order_no, currency, net - cast(coupon_amount as decimal(18, 2)) as value,
            state not in {INVALID_STATES} and value > 0 as is_valid,
            cast(placed_at as timestamptz) as placed_at,
            cast(cast(placed_at as timestamptz) as date) as order_date
        from latest join order_values using (order_no)"""
    truth = """select order_no, currency, value, is_valid,
        placed_at at time zone 'UTC' as placed_at, order_date from true_orders"""
    assert one(db, f"select count(*) from (({query}) except ({truth}))") == 0
    assert one(db, f"select count(*) from (({truth}) except ({query}))") == 0
    assert (
        one(db, "select count_if(changed_at::timestamptz < placed_at::timestamptz) from latest")
        == 0
    )


def test_lines_make_up_the_order(db: duckdb.DuckDBPyConnection) -> None:
    assert one(db, "select min(goods_lines), max(goods_lines) from order_values") == (1, 4)
    assert (
        one(
            db,
            """select count(*) from latest join order_values using (order_no)
        where goods <> cast(goods_total as decimal(18, 2))""",
        )
        == 0
    )
    assert (
        one(db, "select count(*) from items where rebate < 0 or pieces < 1 or list_price < 0") == 0
    )
    kinds = {"goods", "postage", "gift_card"}
    assert {kind for (kind,) in db.sql("select distinct kind from items").fetchall()} == kinds
    products = "read_csv(['demo/products.csv.gz', 'demo/products_planted.csv'])"
    assert one(db, f"select count(*), count(distinct category) from {products}") == (302, 14)
    assert (
        one(
            db,
            f"""select count(*) from items left join {products} p using (sku)
        where kind = 'goods' and p.sku is null""",
        )
        == 0
    )


def test_payments_pay_what_is_due(db: duckdb.DuckDBPyConnection) -> None:
    difference = """
        with paid as (
            select order_no, sum(amount::decimal(18, 2)) as paid from payments group by 1),
        other as (
            select order_no, sum(list_price) as other from items where kind <> 'goods' group by 1)
        select count(*), count_if(paid.paid <> orders.value + coalesce(other, 0)
            + shipping::decimal(18, 2) + tax::decimal(18, 2) + tip::decimal(18, 2))
        from true_orders orders join latest using (order_no) left join paid using (order_no)
        left join other using (order_no) where is_valid and paid is not null"""
    valid = one(db, "select count(*) from true_orders where is_valid")
    assert one(db, difference) == (valid, 0)


def test_people_are_those_of_the_truth(db: duckdb.DuckDBPyConnection) -> None:
    wrong = """
        with oldest as (
            select lower(trim(email)) as email, arg_min(customer_number,
                cast(registered_at as timestamptz)) as person
            from accounts group by 1),
        person_of as (
            select customer_number, person
            from accounts join oldest on oldest.email = lower(trim(accounts.email)))
        select count(*), count_if(true_orders.person_id is distinct from coalesce(
            person_of.person, oldest.person, lower(trim(contact_email))))
        from true_orders join latest using (order_no)
        left join person_of using (customer_number)
        left join oldest on oldest.email = lower(trim(contact_email))"""
    assert one(db, wrong) == (one(db, "select count(*) from true_orders"), 0)
    assert (
        one(
            db,
            """select count(*) from latest join accounts using (customer_number)
        where cast(registered_at as timestamptz) > cast(placed_at as timestamptz)""",
        )
        == 0
    )
    assert (
        one(
            db,
            """select count(*) from true_customers c left join (
            select person_id, min(order_date) as first, max(order_date) as last
            from true_orders where is_valid group by 1) o using (person_id)
        where c.first_purchase_date is distinct from o.first
            or (dropped_out_date is not null and dropped_out_date <> o.last)
            or (kind = 'visitor') <> (o.first is null)""",
        )
        == 0
    )


PLANTED = {
    "repeated_order": """select count(*) from exported a join exported b using (order_no)
        where a.file like 'orders_2%' and b.file like 'orders_2%' and a.file < b.file
        and a.state = b.state and a.changed_at = b.changed_at and a.placed_at = b.placed_at
        and cast(a.placed_at as date) >= make_date(cast(a.file[8:11] as int), 12, 25)""",
    "repeated_line": "select count(*) - (select count(*) from items) from exported_items",
    "late_order": "select count(*) from (select order_no from exported group by order_no "
    "having min(file) like '%late%')",
    "status_changed": """select count(*) from exported a join latest b using (order_no)
        where a.file like 'orders_2%' and b.file like '%late%' and a.file <> b.file""",
    "stale_copy": """select count(*) from exported a join latest b using (order_no)
        where a.file like '%late%' and a.changed_at::timestamptz < b.changed_at::timestamptz""",
    "order_without_customer": """select count(*) from latest
        where customer_number is null and contact_email is null""",
    "guest_order_of_account": """select count(*) from latest where customer_number is null
        and lower(trim(contact_email)) in (select lower(email) from accounts)""",
    "cancelled": "select count(*) from latest where state = 'canceled'",
    "unpaid": "select count(*) from latest where state = 'awaiting_payment'",
    "fraud": "select count(*) from latest where state = 'fraud_confirmed'",
    "test": "select count(*) from latest where state = 'test'",
    "zero_value": """select count(*) from order_values join latest using (order_no)
        where net - coupon_amount::decimal(18, 2) = 0""",
    "same_day_order": """select sum(orders - 1) from (select count(*) as orders from true_orders
        where is_valid and person_id is not null group by person_id, order_date)""",
    "shared_email": """select count(*) - count(distinct lower(email)) from accounts
        where file = 'customers.csv'""",
    "refund_after_month_end": """select count(*) from refunds r join true_refunds using (refund_no)
        join latest l on l.order_no = true_refunds.order_no
        where left(r.refunded_at, 7) <> left(l.placed_at, 7)""",
    "refund_for_defect": "select count(*) from refunds where reason = 'defect'",
    "refund_without_order": "select count(*) from refunds where order_no is null",
    "malformed": "select 5",
    "missing_rates": "select 1",
    "repeated_event": "select count(*) - count(distinct event_no) from events",
    "late_event": "select count(distinct event_no) from events where file like '%late%'",
    "purchase_without_order": """select count(distinct event_no) from events
        where kind = 'order' and order_no not in (select order_no from exported)""",
    "bot": """select count(distinct visitor_cookie) from (
        select visitor_cookie, count(distinct event_no) / (1 + date_diff('second',
            min(happened_at), max(happened_at))) as per_second, count(*) as events
        from events where visitor_cookie is not null group by 1)
        where per_second > 0.5 and events > 100""",
    "visit_across_midnight": """select count(*) from (
        select visitor_cookie from events where file = 'events_planted.parquet' group by 1
        having count(distinct happened_at::date) = 2
        and date_diff('minute', min(happened_at), max(happened_at)) < 30)""",
    "campaign_change": """select count(*) from (
        select visitor_cookie from events where file = 'events_planted.parquet' group by 1
        having count(distinct campaign) = 2
        and date_diff('minute', min(happened_at), max(happened_at)) < 30)""",
    "sale_window": "select 3",
    "account_of_nobody": """select count(*) from (
        select account from events where account is not null group by account
        having count(distinct contact_email) > 10)""",
}


def test_everything_planted_is_found_and_nothing_else(db: duckdb.DuckDBPyConnection) -> None:
    planted = dict(db.sql("select kind, count(*) from true_planted group by kind").fetchall())
    assert planted == {kind: one(db, query) for kind, query in PLANTED.items()}
    assert one(
        db, "select count(*) from (select distinct kind, file, key from true_planted)"
    ) == sum(planted.values())
    spelled = (
        "select count(distinct note[-9:]) from true_planted where kind = 'guest_order_of_account'"
    )
    assert one(db, spelled) == 3


def test_malformed_records_stand_alone(landing: Path, db: duckdb.DuckDBPyConnection) -> None:
    """Rejecting them takes nothing from a total: no other record knows their keys."""
    keys = [
        key for (key,) in db.sql("select key from true_planted where kind = 'malformed'").fetchall()
    ]
    assert len(keys) == 5
    for key in keys:
        holders = []
        for path in (landing / "demo").glob("*[vl]*"):
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            holders += [line for line in data.split(b"\n") if key[:11].encode() in line]
        assert len(holders) == 1, key


def test_refunds_never_exceed_the_order(db: duckdb.DuckDBPyConnection) -> None:
    assert (
        one(
            db,
            """select count(*) from (
        select o.value, sum(r.amount) as back
        from true_refunds r join true_orders o using (order_no)
        where o.is_valid group by order_no, o.value having back > o.value or min(r.amount) <= 0)""",
        )
        == 0
    )
    differing = """select refund_no, amount, refunded_at::timestamptz from refunds
        except select refund_no, amount, refunded_at at time zone 'UTC' from true_refunds"""
    assert one(db, f"select count(*) from ({differing})") == 0


def test_rates_serve_every_day_and_leave_weekends_out(db: duckdb.DuckDBPyConnection) -> None:
    db.execute("""create or replace view rates as
        select strptime(day, '%d.%m.%Y')::date as day, rate
        from read_csv('demo/exchange_rates.csv', types = {'day': 'varchar'})""")
    assert one(db, "select max(isodow(day)) from rates") == 5
    assert one(db, "select count_if(rate not between 1 and 1.3) from rates") == 0
    longest_wait = """select max(order_date - day)
        from true_orders asof left join rates on order_date >= day"""
    assert one(db, longest_wait) == 2


def test_shop_is_believable(db: duckdb.DuckDBPyConnection) -> None:
    repeat = one(db, "select avg((purchases > 1)::int) from true_customers where purchases > 0")
    assert 0.25 < repeat < 0.40
    assert one(db, "select list(distinct currency order by currency) from true_orders") == [
        "EUR",
        "GBP",
    ]


def test_purchase_counts_follow_the_model(landing: Path) -> None:
    """One-time buyers by the formula of the MBG/NBD model, the mean of purchases by integration."""
    behaviour, world = Behaviour(), World(1095, date(2025, 12, 31))
    simulated = shop_module.simulate(world, seed=5, first=0, size=20_000)["people"]
    buyer = simulated["purchases"] > 0
    purchases = simulated["purchases"][buyer]
    names = list(CHANNELS)
    factor = channel_factors()[[names.index(name) for name in simulated["channel"][buyer]]]
    # the moment within the first day is uniform and unknown: its middle serves
    age = factor * (world.days - simulated["first_day"][buyer] - 0.5)
    r, alpha = behaviour.rate_shape, behaviour.rate_scale_days
    a, b = behaviour.drop_out_a, behaviour.drop_out_b
    once = (a + b * (alpha / (alpha + age)) ** r) / (a + b)
    error = math.sqrt((once * (1 - once)).sum())
    assert abs((purchases == 1).sum() - once.sum()) < Z * error

    # E[repeats | p, age] = (1 - p) / p (1 - (alpha / (alpha + p age))^r), over p with u = p^a
    u = (np.arange(4000) + 0.5) / 4000
    p = u ** (1 / a)
    weight = (1 - p) ** b / p / a * math.gamma(a + b) / math.gamma(a) / math.gamma(b)
    grid = np.linspace(0, age.max(), 60)
    repeats = [(weight * (1 - (alpha / (alpha + p * days)) ** r)).mean() for days in grid]
    expected = np.interp(age, grid, repeats)
    error = purchases.std() / math.sqrt(len(purchases))
    assert abs(purchases.mean() - 1 - expected.mean()) < Z * error


def test_values_scatter_around_the_true_mean(db: duckdb.DuckDBPyConnection) -> None:
    bought = """
        select sum(spent - purchases * mean_value_eur),
            sqrt(sum(purchases * mean_value_eur ** 2 / 6))
        from true_customers join (
            select person_id, sum(value) as spent from true_orders
            where is_valid and currency = 'EUR' group by 1) using (person_id)"""
    difference, error = one(db, bought)
    assert abs(difference) < Z * error


def test_clocks_change_and_stamps_follow(db: duckdb.DuckDBPyConnection) -> None:
    for stamp, order_date in db.sql("""select latest.placed_at, order_date from latest
        join true_orders using (order_no) using sample 300 (reservoir, 1)""").fetchall():
        moment = datetime.fromisoformat(stamp) if isinstance(stamp, str) else stamp
        assert moment.date() == order_date
        summer = date(moment.year, 3, 31) <= order_date <= date(moment.year, 10, 24)
        winter = not date(moment.year, 3, 25) <= order_date <= date(moment.year, 10, 31)
        if summer or winter:
            assert stamp.endswith("+02:00" if summer else "+01:00")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"customers": 499}, "customers is 499"), ({"days": 29}, "days is 29")],
)
def test_too_small_a_shop_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_shop(tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_the_smallest_shop(tmp_path: Path) -> None:
    summary = write_shop(tmp_path, customers=500, days=30, last_day=date(2024, 6, 15))
    assert summary.customers == 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_truth", "demo", "regulars.toml"]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "orders.csv").write_text("mine")
    (tmp_path / "regulars.toml").write_text('time_zone = "UTC"\n')
    with pytest.raises(InputError, match="holds no synthetic shop"):
        write_shop(tmp_path, customers=500)
    assert (tmp_path / "demo" / "orders.csv").read_text() == "mine"
    (tmp_path / "demo" / "orders.csv").unlink()
    (tmp_path / "demo").rmdir()
    write_shop(tmp_path, customers=500)
    assert (tmp_path / "regulars.toml").read_text() == 'time_zone = "UTC"\n'
