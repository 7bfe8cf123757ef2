"""Exports of Segment and Google Analytics 4, written by hand as these write them, beside orders."""

import gzip
import hashlib
import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.settings import Settings
from tests.shops import KEY, rebuild, rows, settings_of, write_csv

Events = list[dict[str, Any]]


def call(message_id: str | None, kind: str, minute: int, **given: Any) -> dict[str, Any]:
    """A call in Segment's raw logs."""
    return {
        "messageId": message_id,
        "type": kind,
        "anonymousId": "anon-1",
        "userId": None,
        "channel": "client",
        "context": {
            "ip": "203.0.113.7",
            "library": {"name": "analytics.js", "version": "2.11.1"},
            "page": {"url": "https://shop.example/cup", "referrer": "", "path": "/cup"},
            "campaign": {"source": "google", "medium": "cpc", "name": "spring"},
            "userAgent": "Mozilla/5.0",
            **given.pop("context", {}),
        },
        "timestamp": f"2024-05-01T10:{minute:02}:00.250Z",
        "receivedAt": f"2024-05-01T10:{minute:02}:01.000Z",
        "integrations": {},
        **given,
    }


def track(message_id: str | None, event: str, minute: int, **properties: Any) -> dict[str, Any]:
    return call(message_id, "track", minute, event=event, properties=properties)


ORDERED = {"order_id": "1001", "revenue": "25.50", "total": 30, "currency": "usd"}
LOGS: Events = [
    call("m1", "page", 1, name="Cup", properties={"url": "https://shop.example/other"}),
    track("m2", "Product Viewed", 2, product_id="cup", price=12.75, currency="USD"),
    track("m3", "Products Searched", 3, query="blue cup"),
    track("m4", "Product Added", 4, product_id="cup", cart_id="k1", price=12.75, quantity=2),
    call("m5", "identify", 5, userId="c1", traits={"email": " Ann@Example.com "}),
    track("m6", "Checkout Started", 6, order_id="1001", value=25.5) | {"userId": "c1"},
    track("m7", "Payment Info Entered", 7) | {"userId": "c1"},
    track("m8", "Order Completed", 8, **ORDERED) | {"userId": "c1"},
    track("m9", "Coupon Applied", 9, coupon_id="SPRING"),
    track("m10", "Product Shared", 10, product_id="cup"),
    call("m11", "track", 11, event="Email Opened", properties={"campaign_name": "May"},
         context={"campaign": None, "page": {}, "traits": {"email": "ann@example.com"}}),
    call("m12", "screen", 12, context={}),
    call("m13", "group", 13),
    track("m14", "Cart Viewed", 14, cart_id="k1"),
    track("m15", "Product Removed", 15, product_id="cup", quantity="1"),
    track("m16", "Signed Up", 16),
    track("m17", "Promotion Clicked", 17, promotion_id="sale", creative="banner"),
    track(None, "Product Viewed", 20),
    track("x1", "Product Added", 21, quantity="two"),
    {**call("x2", "page", 22), "context": "none"},
    {**call("x3", "page", 23), "timestamp": 1714557600},
]  # fmt: skip
DOUBLED = json.dumps(call("x4", "page", 24)).replace('"path":', '"url":')


def write_segment(folder: Path) -> None:
    day = folder / "segment-logs" / "aBc" / "1714521600000"
    day.mkdir(parents=True)
    lines = "".join(json.dumps(event) + "\n" for event in LOGS) + DOUBLED + "\n"
    (day / "1714557600000.8f2c.gz").write_bytes(gzip.compress(lines.encode()))
    # Of the tables of a warehouse, `tracks` repeats the events without their properties.
    common = "'t1' as id, 'anon-2' as anonymous_id, 'c2' as user_id, 'product_viewed' as event, "
    common += "'Product Viewed' as event_text, 'https://shop.example/pot' as context_page_url, "
    common += "'newsletter' as context_campaign_source, 'email' as context_campaign_medium, "
    common += "timestamp '2024-05-02 08:00:00.123456' as timestamp"
    properties = "'pot' as product_id, 40.25::double as price, 'EUR' as currency"
    page = "'p1' as id, 'anon-2' as anonymous_id, 'https://shop.example' as context_page_url, "
    page += "'https://shop.example/#top' as url, timestamp '2024-05-02 07:59:00' as timestamp"
    for name, columns in {
        "tracks_000": common,
        "tracks/product_viewed": f"{common}, {properties}",
        "pages": page,
    }.items():
        write_parquet(folder / f"{name}.parquet", f"select {columns}")


def write_parquet(path: Path, query: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy ({query}) to '{path}' (format parquet)")


START = 1714640400_123456  # 2024-05-02 09:00:00.123456 UTC


def hit(name: str, second: int, **given: Any) -> dict[str, Any]:
    """A row of the BigQuery export as JSON: integers are texts, empty fields are left out."""
    parameters = given.pop("parameters", {})
    kinds = {str: "string_value", int: "int_value", float: "double_value"}
    return {
        "event_date": "20240502",
        "event_timestamp": str(START + second * 1_000_000),
        "event_name": name,
        "event_params": [
            {"key": key, "value": {kinds[type(value)]: str(value) if value == 7 else value}}
            for key, value in {"engaged_session_event": 1, **parameters}.items()
        ],
        "event_bundle_sequence_id": "11",
        "batch_event_index": "1",
        "user_pseudo_id": "123.456",
        "user_properties": [],
        "device": {"category": "mobile", "web_info": {"browser": "Chrome"}},
        "collected_traffic_source": {"manual_campaign_name": "summer"},
        "items": [],
        **given,
    }


PAGE = {"ga_session_id": 7, "page_location": "https://shop.example/", "source": "bing"}
CUP = [{"item_id": "cup", "quantity": "2", "price": 12.75}, {"item_id": "pot", "quantity": "1"}]
VIEW = hit("page_view", 0, parameters={**PAGE, "page_referrer": "https://bing.com"})
FIRST: Events = [
    VIEW,
    VIEW,  # counted twice by the export itself
    hit("view_search_results", 1, parameters={**PAGE, "search_term": "cups & pots"}),
    hit("view_item", 2, items=CUP, parameters={**PAGE, "value": 12.75, "currency": "EUR"}),
    hit("add_to_cart", 3, items=CUP, parameters={**PAGE, "value": 26, "currency": "EUR"}),
]
DAILY: Events = [
    *FIRST[:4],
    hit("add_to_cart", 3, items=CUP, parameters={**PAGE, "value": 25.5, "currency": "EUR"}),
    hit("begin_checkout", 4, items=CUP, parameters=PAGE),
    hit("add_payment_info", 5, items=CUP, parameters=PAGE),
    hit("purchase", 6, items=CUP, user_id="c1", parameters={**PAGE, "currency": "EUR"},
        ecommerce={"transaction_id": "1001", "purchase_revenue": 59.900000000000006}),
    hit("purchase", 7, ecommerce={"transaction_id": "(not set)"}),
    hit("scroll", 8, parameters=PAGE),
    {**hit("page_view", 9, parameters=PAGE), "user_pseudo_id": None},
    {**hit("page_view", 10), "event_params": None, "device": None, "items": None},
    {**hit("page_view", 11), "event_timestamp": "yesterday"},
    hit("remove_from_cart", 12, items=[{"item_id": "(not set)"}]),
]  # fmt: skip


def write_ga4(folder: Path) -> None:
    folder.mkdir()
    for name, events in {"events_intraday_20240502": FIRST, "events_20240502": DAILY}.items():
        lines = "".join(json.dumps(event) + "\n" for event in events)
        (folder / f"{name}-000000000000.json.gz").write_bytes(gzip.compress(lines.encode()))
    value = "{'string_value': %s, 'int_value': %s::bigint, 'double_value': null::double}"
    write_parquet(
        folder / "events_20240503.parquet",
        f"""
        select {START + 86_400_000_000}::bigint as event_timestamp, 'share' as event_name,
            [{{'key': 'page_location', 'value': {value % ("'https://shop.example/cup'", "null")}}},
             {{'key': 'ga_session_id', 'value': {value % ("null", "8")}}}] as event_params,
            '123.456' as user_pseudo_id, null::varchar as user_id,
            {{'category': 'desktop', 'language': 'de'}} as device,
            {{'manual_source': 'mail', 'manual_medium': 'email'}} as collected_traffic_source,
            [{{'item_id': 'cup', 'quantity': 1::bigint}}] as items
        """,
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("events")
    landing = folder / "landing"
    write_csv(
        landing / "files" / "orders.csv",
        [{"order_id": "1001", "customer_id": "c1", "currency": "EUR", "merchandise_amount": "25.50",
          "ordered_at": "2024-05-03 12:00:00"}],
    )  # fmt: skip
    write_csv(
        landing / "files" / "events.csv",
        [{"event_id": "f1", "event_type": "email_click", "occurred_at": "2024-05-01 09:00:00"},
         {"event_id": "f2", "event_type": "mail", "occurred_at": "2024-05-01 09:00:00"}],
    )  # fmt: skip
    write_segment(landing / "segment")
    write_ga4(landing / "ga4")
    return rebuild(settings_of(landing, folder / "warehouse", time_zone="America/New_York"))


def events(shop: Settings, columns: str, where: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(shop.build_file), read_only=True) as build:
        query = f"select {columns} from staging.stg_events where {where} order by occurred_at"
        return build.execute(query).fetchall()


def test_calls_of_segment_become_events_of_the_contract(shop: Settings) -> None:
    found = events(shop, "event_id, event_type", "source_name = 'segment'")
    assert found == [
        ("m1", "page_view"),
        ("m2", "product_view"),
        ("m3", "search"),
        ("m4", "add_to_cart"),
        ("m5", "identify"),
        ("m6", "checkout_started"),
        ("m7", "checkout_step"),
        ("m8", "purchase"),
        ("m9", "other"),
        ("m10", "share"),
        ("m11", "email_open"),
        ("m12", "page_view"),
        ("m13", "other"),
        ("m14", "cart_view"),
        ("m15", "remove_from_cart"),
        ("m16", "sign_up"),
        ("m17", "campaign_touch"),
        ("p1", "page_view"),
        ("t1", "product_view"),
    ]


def test_nested_values_of_a_call_are_read(shop: Settings) -> None:
    columns = "page_url, referrer, channel, campaign, user_agent, occurred_at"
    assert events(shop, columns, "event_id = 'm1'") == [
        (
            "https://shop.example/cup",
            None,
            "google / cpc",
            "spring",
            "Mozilla/5.0",
            datetime(2024, 5, 1, 10, 1, 0, 250000),
        )
    ]
    columns = "product_id, cart_id, order_id, quantity, value, currency, customer_id, search_term"
    none = None
    assert events(shop, columns, "event_id in ('m3', 'm4', 'm6', 'm8', 'm15')") == [
        (none, none, none, none, none, none, none, "blue cup"),
        ("cup", "k1", none, Decimal(2), Decimal("25.5"), none, none, none),
        (none, none, "1001", none, Decimal("25.5"), none, "c1", none),
        (none, none, "1001", none, Decimal("25.5"), "USD", "c1", none),
        ("cup", none, none, Decimal(1), none, none, none, none),
    ]
    assert events(shop, "campaign, variant", "event_id = 'm17'") == [("sale", "banner")]


def test_whose_a_call_is_stands_in_traits_and_is_hashed(shop: Settings) -> None:
    hashed = hashlib.sha256(f"{KEY}|ann@example.com".encode()).hexdigest()[:32]
    known = "customer_email_hash is not null"
    assert events(shop, "event_id, anonymous_id, customer_email_hash, campaign", known) == [
        ("m5", "anon-1", hashed, "spring"),
        ("m11", "anon-1", hashed, "May"),
    ]


def test_tables_of_a_segment_warehouse_are_read_and_properties_win(shop: Settings) -> None:
    columns = "event_id, customer_id, product_id, value, page_url, channel, occurred_at"
    assert events(shop, columns, "event_id in ('p1', 't1')") == [
        ("p1", None, None, None, "https://shop.example", None, datetime(2024, 5, 2, 7, 59)),
        (
            "t1",
            "c2",
            "pot",
            Decimal("40.25"),
            "https://shop.example/pot",
            "newsletter / email",
            datetime(2024, 5, 2, 8, 0, 0, 123456),
        ),
    ]


def test_events_that_do_not_fit_are_rejected_with_their_reason(shop: Settings) -> None:
    query = "select entity, line, column_name, reason from fct_rejected_rows order by entity, line"
    found = [
        (entity, line, column, reason[:52]) for entity, line, column, reason in rows(shop, query)
    ]
    lines = "logs", len(LOGS)
    assert found == [
        ("events", 3, "event_type", "expected one of page_view, product_view, search, add"),
        ("events", 13, "event_timestamp", "expected a number of microseconds since 1970, not 'y"),
        ("logs", lines[1] - 3, "message_id", "is required but empty"),
        ("logs", lines[1] - 2, "quantity", "expected a number like 1234.56 (up to 15 digits befo"),
        ("logs", lines[1] - 1, None, "context is not an object"),
        ("logs", lines[1], "occurred_at", "expected a time like 2024-12-31 23:59:59 or 2024-12-"),
        ("logs", lines[1] + 1, None, "context.page has a key twice"),
    ]


def test_events_of_analytics_become_events_of_the_contract(shop: Settings) -> None:
    columns = (
        "event_type, anonymous_id, customer_id, session_id, order_id, product_id, quantity, value"
    )
    none, visitor, session = None, "123.456", "123.456.7"
    assert events(shop, columns, "source_name = 'ga4'") == [
        ("page_view", visitor, none, session, none, none, none, none),
        ("page_view", visitor, none, session, none, none, none, none),
        ("search", visitor, none, session, none, none, none, none),
        ("product_view", visitor, none, session, none, "cup", none, Decimal("12.75")),
        ("add_to_cart", visitor, none, session, none, "cup", Decimal(2), Decimal("25.5")),
        ("checkout_started", visitor, none, session, none, none, none, none),
        ("checkout_step", visitor, none, session, none, none, none, none),
        ("purchase", visitor, "c1", session, "1001", none, none, Decimal("59.9")),
        ("purchase", visitor, none, none, none, none, none, none),
        ("other", visitor, none, session, none, none, none, none),
        ("page_view", none, none, none, none, none, none, none),
        ("page_view", visitor, none, none, none, none, none, none),
        ("remove_from_cart", visitor, none, none, none, none, none, none),
        ("share", visitor, none, "123.456.8", none, none, none, none),
    ]


def test_parameters_are_found_by_their_key(shop: Settings) -> None:
    columns = "page_url, referrer, search_term, channel, campaign, device, currency, occurred_at"
    first, *_, last = events(shop, columns, "source_name = 'ga4' and page_url is not null")
    url, start = "https://shop.example/", datetime(2024, 5, 2, 9, 0, 0, 123456)
    assert first == (url, "https://bing.com", None, "bing", "summer", "mobile", None, start)
    next_day = start.replace(day=3)
    assert last == (f"{url}cup", None, None, "mail / email", None, "desktop", None, next_day)
    searched = events(shop, "search_term, currency", "event_type in ('search', 'add_to_cart')")
    assert ("cups & pots", None) in searched and (None, "EUR") in searched


def test_overlapping_tables_of_analytics_count_an_event_once(shop: Settings) -> None:
    ids = [event_id for (event_id,) in events(shop, "event_id", "source_name = 'ga4'")]
    assert len(ids) == len(set(ids)) == 14


def test_keys_of_events_are_those_of_the_only_source_of_orders(shop: Settings) -> None:
    orders = {order_id for (order_id,) in rows(shop, "select order_id from fct_orders")}
    bought = events(shop, "order_id", "event_type = 'purchase' and order_id is not null")
    assert {order_id for (order_id,) in bought} == orders == {"1001"}
    sources = Counter(source for (source,) in events(shop, "source_name", "true"))
    assert sources == {"files": 1, "segment": 19, "ga4": 14}
