"""The report: its figures are those of the marts, and what a shop has written stays text."""

import csv
import io
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pytest
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.lib.errors import StorageError
from dagster_project.lib.report.markup import TAGS, element
from dagster_project.lib.report.snapshot import OtherTables
from dagster_project.lib.report.write import write_report
from dagster_project.lib.settings import Settings
from tests.shops import rebuild, refresh, rows, settings_of, write_csv

CSV = "data:text/csv;charset=utf-8,"
FRAME = {"html", "head", "meta", "title", "style", "body"}
HOSTILE = (
    "=cmd()<script>alert(1)</script>\"'><img src=x onerror=alert(1)> ]]></style><!-- \u202e;=1+1"
)
# Words of the project itself; everything else in the marts may come from a shop.
OWN_WORDS = {
    *("lifecycle_stage", "segment", "from_stage", "to_stage", "from_segment", "to_segment"),
    *("dimension_name", "dimension_value", "experience_type", "experience_value", "state"),
    *("frequency_bucket", "model_name", "score_decile", "status", "advocacy_quadrant", "run_id"),
    "purchase_bucket",
}


class Page(HTMLParser):
    """Tags, attributes and text of a page, and the data of each chart."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.data: dict[str, list[dict[str, str]]] = {}
        self.ids: Counter[str] = Counter()
        self.headings: list[int] = []
        self.feed(file.read_text(encoding="utf-8"))
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        given = {name: value or "" for name, value in attrs}
        self.attributes += given.items()
        if "id" in given:
            self.ids[given["id"]] += 1
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if "download" in given:
            content = unquote(given["href"].removeprefix(CSV))
            assert content.startswith("\ufeff")
            records = list(csv.DictReader(io.StringIO(content[1:])))
            self.data[given["download"].removesuffix(".csv")] = records

    def handle_data(self, data: str) -> None:
        if self.get_starttag_text() is None or not self.get_starttag_text().startswith("<style"):
            self.texts.append(data.replace("\N{NO-BREAK SPACE}", " "))


@pytest.fixture(scope="module")
def page(demo: Path) -> Page:
    return Page(demo / "report.html")


def altered(demo: Path, folder: Path, statements: Iterable[str]) -> Settings:
    """The published warehouse of a shop, changed."""
    settings = settings_of(folder / "landing", folder / "warehouse")
    settings.published_file.parent.mkdir(parents=True)
    source = demo / "published" / "current" / "warehouse.duckdb"
    shutil.copyfile(source.resolve(), settings.published_file)
    with duckdb.connect(str(settings.published_file)) as connection:
        connection.execute("use marts")
        for statement in statements:
            connection.execute(statement)
    return settings


def text_columns(demo: Path) -> list[tuple[str, str]]:
    found = rows(
        demo,
        "select table_name, column_name from duckdb_columns()"
        " where schema_name = 'marts' and data_type = 'VARCHAR'",
    )
    return [(table, column) for table, column in found if column not in OWN_WORDS]


def number(text: str) -> float | None:
    return float(text) if text else None


# The page


def test_a_run_writes_a_page_that_everybody_may_read_and_nothing_beside_it(demo: Path) -> None:
    file = demo / "report.html"
    assert file.stat().st_mode & 0o777 == 0o644
    assert file.stat().st_size < 3_000_000
    assert not list(demo.glob(".report*"))


def test_it_holds_nothing_that_runs_or_asks_for_anything(page: Page) -> None:
    assert set(page.tags) <= TAGS | FRAME
    names = {name for name, _ in page.attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "style")]
    links = [value for name, value in page.attributes if name == "href"]
    assert links and all(link.startswith(("#", CSV)) for link in links)
    policy = next(value for name, value in page.attributes if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in page.tags and "unsafe" not in policy


def test_it_can_be_found_ones_way_in_by_ear(page: Page) -> None:
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(page.headings))
    assert max(page.ids.values()) == 1
    targets = {value[1:] for name, value in page.attributes if name == "href" and value[0] == "#"}
    assert targets <= page.ids.keys()
    assert page.tags["svg"] and ("lang", "en") in page.attributes
    assert page.tags["th"] == sum(name == "scope" for name, _ in page.attributes)


def test_the_same_version_gives_the_same_page(demo: Path, tmp_path: Path) -> None:
    again = write_report(settings_of(tmp_path, demo), tmp_path / "again.html")
    assert again.read_bytes() == (demo / "report.html").read_bytes()


# Its figures: each against another mart, or against rows counted one by one


def test_customers_orders_and_sales_are_those_of_the_orders(page: Page, demo: Path) -> None:
    figures = {row["figure"]: row["now"] for row in page.data["changes"]}
    orders = rows(demo, "select customer_id, purchase_number from fct_orders where is_valid")
    buyers = {customer for customer, _ in orders if customer}
    assert int(figures["customers"]) == len(buyers)
    assert int(figures["orders"]) == len(orders)
    repeat = {customer for customer, purchase in orders if customer and purchase > 1}
    assert int(figures["repeat customers"]) == len(repeat)
    assert f"{len(buyers):,} customers have bought" in page.text
    (sales,) = rows(demo, "select sum(net_sales) from fct_repeat_revenue_monthly")[0]
    assert float(figures["net sales"]) == pytest.approx(float(sales))


def test_months_are_split_into_first_and_later_purchases(page: Page, demo: Path) -> None:
    (last,) = rows(demo, "select max(month) from fct_repeat_revenue_monthly where is_complete")[0]
    row = next(row for row in page.data["sales"] if row["month"] == last.isoformat())
    parts = [row["first_net_sales"], row["repeat_net_sales"], row["unattributed_net_sales"]]
    assert sum(map(float, parts)) == pytest.approx(float(row["net_sales"]))
    share = float(row["repeat_net_sales"]) / float(row["net_sales"])
    assert f"{share:.1%}" in page.text


def test_stages_and_segments_are_those_of_the_customers(page: Page, demo: Path) -> None:
    people = rows(demo, "select lifecycle_stage, segment from dim_customers")
    today = page.data["stages"][-1]
    stages = Counter(stage for stage, _ in people)
    assert {name: int(today[name]) for name in stages} == stages
    segments = Counter(segment for _, segment in people)
    flows = {row["segment"]: row for row in page.data["flows"]}
    assert {
        name: int(row["customers"]) for name, row in flows.items() if row["customers"] != "0"
    } == segments


def test_who_came_less_who_left_is_the_change_of_a_segment(page: Page, demo: Path) -> None:
    stock = rows(
        demo,
        "select segment, sum(customers) from fct_lifecycle_daily where lifecycle_date ="
        " (select max(lifecycle_date) - interval 12 month from fct_lifecycle_daily) group by 1",
    )
    before = dict(stock)
    for row in page.data["flows"]:
        change = int(row["entered"]) - int(row["exited"])
        assert int(row["customers"]) == before.get(row["segment"], 0) + change, row


def test_who_came_back_is_counted_once_for_each_silence(page: Page, demo: Path) -> None:
    (as_of,) = rows(demo, "select as_of_date from meta.publication")[0]
    segments: dict[str, list[tuple[date, str]]] = defaultdict(list)
    for customer, when, segment in rows(
        demo,
        "select customer_id, transition_date, to_segment from fct_lifecycle_transitions"
        " where from_segment is distinct from to_segment order by all",
    ):
        segments[customer].append((when, segment))
    back = silent = 0
    for history in segments.values():
        for (_, before), (when, now) in pairwise(history):
            if when > as_of.replace(year=as_of.year - 1):
                back += before == "inactive" and now in ("won_back", "hero")
                silent += now == "inactive" and before != "negative_experience"
    assert back and silent
    assert f"{back:,} times somebody came back who had been silent" in page.text
    assert f"and {silent:,} times somebody fell silent like that." in page.text


def test_curves_of_cohorts_are_their_sales_by_age(page: Page, demo: Path) -> None:
    cohorts: dict[str, list[Any]] = defaultdict(list)
    sales = rows(
        demo,
        "select cohort_month, month_since, customers, net_sales from fct_retention_cohorts"
        " where is_complete order by all",
    )
    for month, age, customers, amount in sales:
        cohorts[f"{month.year} H{(month.month + 5) // 6}"].append((month, age, customers, amount))
    checked = 0
    for row in page.data["cohorts"]:
        if row["is_expected"] == "True":
            continue
        members = cohorts[row["cohort"]]
        customers = sum({month: number for month, _, number, _ in members}.values())
        age = int(row["month_since"])
        brought = sum(amount for _, since, _, amount in members if since <= age)
        assert int(row["customers"]) == customers
        assert float(row["net_sales_per_customer"]) == pytest.approx(
            float(brought / customers), abs=0.01
        )
        checked += 1
    assert checked > 50


def test_paid_back_is_margin_against_what_the_customers_cost(page: Page, demo: Path) -> None:
    last = page.data["payback"][12]
    channel = last["acquisition_channel"]
    until = rows(
        demo,
        "select max(cohort_month) from fct_ltv_cohorts where month_since = 12 and is_complete",
    )
    found = rows(
        demo,
        "select month_since, margin, spend from fct_ltv_cohorts where acquisition_channel ="
        f" '{channel}' and cohort_month between date '{until[0][0]}' - interval 11 month and"
        f" date '{until[0][0]}' and month_since <= 12 and spend > 0",
    )
    spend = sum(amount for since, _, amount in found if since == 0)
    margin = sum(amount for _, amount, _ in found)
    assert float(last["spend"]) == pytest.approx(float(spend))
    assert float(last["margin"]) == pytest.approx(float(margin))


def test_money_that_won_nobody_is_told(demo: Path, tmp_path: Path) -> None:
    """It has no margin to be held against, and is the worst of all."""
    printed = """
        insert into fct_ltv_cohorts by name
        select distinct
            cohort_month, 'print' as acquisition_channel,
            0 as month_since, 0 as customers, 500 as spend
        from fct_ltv_cohorts where month_since = 12 and is_complete
    """
    page = Page(write_report(altered(demo, tmp_path, [printed])))
    assert "nobody was won by what was spent on print (6,000 EUR)" in page.text
    others = "update fct_ltv_cohorts set spend = null where acquisition_channel <> 'print'"
    page = Page(write_report(altered(demo, tmp_path / "alone", [printed, others])))
    assert "Not available, because nobody was won by what was spent on print" in page.text


def test_rates_are_the_corrected_ones_of_all_customers(page: Page, demo: Path) -> None:
    found = rows(
        demo,
        "select window_days, km_repurchase_rate, mature_customers from fct_repurchase_rates"
        " where dimension_name = 'all' and cohort_month is null order by 1",
    )
    shown = page.data["repurchase"]
    assert [(int(row["window_days"]), number(row["km_repurchase_rate"])) for row in shown] == [
        (window, rate) for window, rate, _ in found
    ]
    ninety = next(rate for window, rate, _ in found if window == 90)
    assert f"{ninety:.1%} buy again within 90 days" in page.text
    second = rows(
        demo,
        "select km_180_days_rate from fct_next_purchase_rates"
        " where dimension_name = 'all' and purchase_number = 2",
    )
    assert number(page.data["next-purchase"][1]["km_180_days_rate"]) == second[0][0]


def test_the_best_customers_are_counted_one_by_one(page: Page, demo: Path) -> None:
    found = rows(
        demo, "select net_sales from dim_customers where purchase_count > 0 order by 1 desc"
    )
    amounts = [float(amount) for (amount,) in found]
    for row in page.data["concentration"]:
        best = amounts[: int(row["customers"])]
        assert sum(best) / sum(amounts) == pytest.approx(float(row["net_sales_share"]), abs=1e-6)


def test_tiers_and_quadrants_are_those_of_the_customers(page: Page, demo: Path) -> None:
    people = rows(
        demo, "select advocacy_tier, advocacy_quadrant, purchase_count from dim_customers"
    )
    tiers = Counter(tier for tier, _, purchases in people if purchases)
    newest = page.data["tiers"][0]
    assert {tier: int(newest[f"{tier}s"]) for tier in tiers} == tiers
    quadrants = Counter(quadrant for _, quadrant, _ in people)
    shown = {row["advocacy_quadrant"]: int(row["customers"]) for row in page.data["quadrants"]}
    assert {name: count for name, count in shown.items() if count} == {
        name: quadrants[name] for name in shown if quadrants[name]
    }


def test_visits_are_counted_from_the_sessions(page: Page, demo: Path) -> None:
    sessions = rows(
        demo,
        "select channel, orders from fct_sessions where not is_bot and session_date >"
        " (select as_of_date from meta.publication) - interval 90 day",
    )
    shown = {row["step"]: int(row["visits"]) for row in page.data["funnel"]}
    assert shown["sessions"] == len(sessions)
    channels = Counter(channel for channel, _ in sessions)
    assert {row["channel"]: int(row["sessions"]) for row in page.data["channels"]} == dict(
        channels.most_common(8)
    )


def test_what_is_at_stake_is_summed_over_customers(page: Page, demo: Path) -> None:
    found = rows(
        demo,
        "select segment, fct_customer_ltv.predicted_ltv_365_days from fct_customer_ltv"
        " join dim_customers using (customer_id)",
    )
    sums: dict[str, float] = defaultdict(float)
    for segment, amount in found:
        sums[segment] += float(amount or 0)
    shown = {row["segment"]: float(row["predicted_ltv_365_days"]) for row in page.data["risk"]}
    assert shown == pytest.approx(sums)
    assert f"{sums['at_risk']:,.0f} EUR are expected of them" in page.text


def test_forecasts_and_calls_are_those_that_were_graded(page: Page, demo: Path) -> None:
    last = page.data["forecasts"][-1]
    graded = rows(
        demo,
        "select sum(predicted), sum(actual) from fct_ltv_backtests where frequency_bucket <> 'all'"
        f" and model_name = '{last['model_name']}' and cut_off_date = '{last['cut_off_date']}'",
    )
    assert float(last["predicted"]) == pytest.approx(graded[0][0])
    assert int(last["actual"]) == graded[0][1]
    whole = page.data["scores"][-1]
    tenths = page.data["scores"][:-1]
    assert int(whole["repurchased_90_days"]) == sum(
        int(row["repurchased_90_days"]) for row in tenths
    )


def test_what_was_rejected_and_checked_adds_up(page: Page, demo: Path) -> None:
    (rejected,) = rows(demo, "select count(*) from fct_rejected_rows")[0]
    assert sum(int(row["rejected"]) for row in page.data["files"]) == rejected
    checks = rows(demo, "select passed from fct_check_results")
    assert sum(int(row["checks"]) for row in page.data["checks"]) == len(checks)
    assert sum(int(row["held"]) for row in page.data["checks"]) == sum(held for (held,) in checks)
    (balanced,) = rows(demo, "select count(*) from fct_reconciliation where is_balanced")[0]
    assert f"{balanced} of {len(page.data['books'])} sums" in page.text


# What a shop has written


def test_what_a_shop_has_written_stays_text(demo: Path, tmp_path: Path) -> None:
    planted = "'" + HOSTILE.replace("'", "''") + "'"
    statements = [
        f'update {table} set "{column}" = {planted} || "{column}" where "{column}" is not null'
        for table, column in text_columns(demo)
    ]
    statements += [
        f"comment on table {table} is {planted}" for table, _ in dict(text_columns(demo)).items()
    ]
    settings = altered(demo, tmp_path, statements)
    page = Page(write_report(settings))
    clean = Page(demo / "report.html")
    assert page.tags.keys() == clean.tags.keys()
    assert {name for name, _ in page.attributes} == {name for name, _ in clean.attributes}
    links = [value for name, value in page.attributes if name == "href"]
    assert all(link.startswith(("#", CSV)) for link in links)
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in page.text
    for records in page.data.values():
        for record in records:
            assert not [text for text in record.values() if text.startswith(("=", "+", "@"))]


def test_nothing_but_text_gets_into_an_element() -> None:
    assert str(element("p", "<b>&\u202e\x00", class_='"x"')) == (
        '<p class="&quot;x&quot;">&lt;b&gt;&amp;  </p>'
    )
    for tag, attributes in (
        ("script", {}),
        ("img", {}),
        ("p", {"onclick": "x"}),
        ("p", {"style": "x"}),
        ("a", {"href": "https://example.com"}),
        ("a", {"href": "javascript:x"}),
        ("a", {"href": "data:text/html,x"}),
    ):
        with pytest.raises(ValueError):
            element(tag, **attributes)


# Shops of which little is known


def test_a_shop_without_anything_has_a_whole_page(demo: Path, tmp_path: Path) -> None:
    tables = rows(demo, "select table_name from duckdb_tables() where schema_name = 'marts'")
    settings = altered(demo, tmp_path, [f"delete from {table}" for (table,) in tables])
    page = Page(write_report(settings))
    assert page.headings.count(2) == Page(demo / "report.html").headings.count(2)
    assert page.text.count("Not available, because") == page.headings.count(3) - 1
    assert "Nobody has bought yet" in page.text


def orders_of(customers: int) -> list[dict[str, object]]:
    return [
        {
            "order_id": customer,
            "customer_id": f"c{customer}",
            "ordered_at": "2025-01-01 10:00:00",
            "merchandise_amount": 1234,
        }
        for customer in range(customers)
    ]


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A shop with orders alone, published twice; an order of a day told before came late."""
    folder = tmp_path_factory.mktemp("orders")
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    for customers in (2, 3):
        write_csv(settings.landing / "files" / "orders.csv", orders_of(customers))
        rebuild(settings, as_of=date(2025, 1, 2))
    return settings


def test_a_shop_with_orders_alone_says_what_is_not_available(two_versions: Settings) -> None:
    page = Page(write_report(two_versions))
    assert "Not available, because no events were delivered." in page.text
    assert "Not available, because no marketing spend was delivered." in page.text
    assert "3,702" in page.text


def test_it_says_what_changed_since_the_version_before(two_versions: Settings) -> None:
    page = Page(write_report(two_versions))
    assert "Since the version of 2 January 2025: +1 customer, +1 order." in page.text
    figures = {row["figure"]: row for row in page.data["changes"]}
    assert (figures["customers"]["now"], figures["customers"]["before"]) == ("3", "2")


def test_a_version_of_another_release_is_not_compared_with(
    two_versions: Settings, tmp_path: Path
) -> None:
    shop = settings_of(two_versions.landing, tmp_path / "warehouse")
    shutil.copytree(two_versions.warehouse, shop.warehouse, symlinks=True)
    older, current = sorted((shop.published_dir / "generations").iterdir())
    without_a_table(older / "warehouse.duckdb")
    assert "There is no earlier version to compare with." in Page(write_report(shop)).text
    without_a_table(current / "warehouse.duckdb")
    with pytest.raises(OtherTables, match=r"published by another release of Regulars: .*ltv"):
        write_report(shop)


def without_a_table(file: Path) -> None:
    file.chmod(0o644)
    with duckdb.connect(str(file)) as connection:
        connection.execute("drop table marts.fct_ltv_windows")


def test_a_page_that_cannot_be_written_leaves_the_one_before(
    two_versions: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_report(two_versions)
    before = file.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(StorageError, match="no space left"):
            write_report(two_versions)
    assert file.read_bytes() == before
    assert not list(file.parent.glob(".report*"))


def test_the_command_writes_where_it_is_told(two_versions: Settings, tmp_path: Path) -> None:
    given = ["report", "--warehouse", str(two_versions.warehouse)]
    result = CliRunner().invoke(app, [*given, "--output", str(tmp_path / "mine.html")])
    assert result.exit_code == 0, result.output
    assert Page(tmp_path / "mine.html").headings
    result = CliRunner().invoke(app, [*given, "--output", str(tmp_path / "no" / "mine.html")])
    assert result.exit_code == 2
    result = CliRunner().invoke(app, ["report", "--warehouse", str(tmp_path)])
    assert result.exit_code == 2


def test_rollback_goes_back_also_where_the_page_cannot_be_renewed(
    two_versions: Settings, tmp_path: Path
) -> None:
    shop = settings_of(two_versions.landing, tmp_path / "warehouse")
    shutil.copytree(two_versions.warehouse, shop.warehouse, symlinks=True)
    write_report(shop)
    rollback = ["rollback", "--warehouse", str(shop.warehouse)]
    assert CliRunner().invoke(app, rollback).exit_code == 0
    assert "2 customers have bought" in Page(shop.report_file).text
    shop.report_file.unlink()
    shop.report_file.mkdir()
    newest = max(path.name for path in (shop.published_dir / "generations").iterdir())
    result = CliRunner().invoke(app, [*rollback, "--to", newest])
    assert result.exit_code == 0
    assert shop.published_file.resolve().parent.name == newest


@pytest.mark.long
def test_a_run_publishes_also_where_the_page_cannot_be_written(tmp_path: Path) -> None:
    write_csv(tmp_path / "landing" / "files" / "orders.csv", orders_of(2))
    (tmp_path / "warehouse" / "report.html").mkdir(parents=True)
    result = refresh(tmp_path / "landing", tmp_path / "warehouse")
    assert "published, but without a new report: cannot write" in result.stderr
    assert rows(tmp_path / "warehouse", "select count(*) from fct_orders") == [(2,)]
