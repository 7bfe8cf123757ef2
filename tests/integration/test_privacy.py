"""A name and an e-mail address that stand in every entity are found in no mart."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.intake.connectors import Column, load_connectors
from dagster_project.lib.settings import Settings
from tests.shops import rebuild, settings_of, write_csv

FIRST, LAST, EMAIL = "Canarina", "Birdwhistle", "canarina.birdwhistle@aviary.example"
NUMBER = "+44 7700 900123"
VALUES = {"timestamp": "2025-03-01 10:00:00", "date": "2025-03-01", "boolean": "yes", "bigint": "1"}
WORDS = {
    "event_type": "search",
    "order_status": "completed",
    "line_type": "merchandise",
    "attribute": "motive",
    "survey_type": "cart_abandonment",
    "first_name": FIRST,
    "last_name": LAST,
    "phone": NUMBER,
    # What people write themselves, or pages carry along.
    "answer": f"for {FIRST}'s sister",
    "value": f"a gift for\n«{LAST}»",
    "origin": f"form of {EMAIL}",
    "search_term": f"Parcel {EMAIL}",
    "page_url": f"https://shop.example/{EMAIL.replace('@', '%40')}?name={FIRST}&mail={EMAIL}",
    "referrer": f"https://shop.example/?name={FIRST}&mail={EMAIL}",
    "reason": f"{EMAIL} called",
    "topic": f"{FIRST} {LAST} {EMAIL}",
    "question": f"Why, {FIRST} ({EMAIL})?",
    "user_agent": f"{FIRST} {EMAIL}",
    "preferred_channel": f"write to {EMAIL}",
}


def planted(column: Column) -> str | None:
    """The canary wherever personal data may stand; an id that is an address, too."""
    if column.personal in ("email", "id"):
        return EMAIL
    if column.name in WORDS and column.data_type == "varchar":
        return WORDS[column.name]
    if column.currency:
        return "EUR"
    if column.one_of:
        return column.one_of[0]
    return VALUES.get(column.data_type, "3" if column.data_type.startswith("decimal") else "word")


@pytest.fixture(scope="module")
def aviary(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("aviary")
    for entity in load_connectors()["files"].entities:
        rows: list[dict[str, Any]] = [{column.name: planted(column) for column in entity.columns}]
        if entity.name == "exchange_rates":
            continue
        if entity.name == "events":
            kinds = ("page_view", "search", "add_to_cart", "campaign_touch")
            rows = [rows[0] | {"event_id": kind, "event_type": kind} for kind in kinds]
            for number, term in enumerate((f"Is {FIRST} in?", f"{LAST}, {EMAIL}", "parcel")):
                rows.append(rows[1] | {"event_id": f"search {number}", "search_term": term})
        if entity.name == "survey_responses":
            kinds = ("cart_abandonment", "motive", "interest", "promoter_score")
            late = {"responded_at": "2025-03-04 10:00:00"}
            rows = [rows[0] | late | {"response_id": kind, "survey_type": kind} for kind in kinds]
            by_mail = {"response_id": "by_mail", "survey_type": "cart_abandonment"}
            rows.append(rows[0] | late | by_mail | {"customer_id": None, "answer": f"Me: {LAST}"})
        if entity.name == "refunds":
            rows.append(rows[0] | {"refund_id": "named", "reason": f"«{FIRST}» called"})
        if entity.name == "orders":
            dates = {"earlier": "2025-02-01", "later": "2025-06-01"}
            rows = [rows[0] | {"order_id": when, "ordered_at": dates[when]} for when in dates]
        if entity.name == "customers":
            named = {"customer_id": "named", "email": "", "preferred_channel": f"ask for {FIRST}"}
            rows.append(rows[0] | named)
        if entity.name == "suppressions":
            rows[0]["channel"] = "sms"
        if entity.name == "support_tickets":  # in the wrong column
            rows.append(rows[0] | {"ticket_id": "shifted", "satisfaction_score": EMAIL})
        if entity.name == "referrals":
            rows[0]["referred_customer_id"] = "friend"
        write_csv(folder / "landing" / "files" / f"{entity.name}.csv", rows)
    without_a_header = folder / "landing" / "files" / "customers-more.csv"
    without_a_header.write_text(f"c7,{FIRST},{LAST},{EMAIL}\n", encoding="utf-8")
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    return rebuild(settings)


def texts(file: Path, schema: str) -> dict[str, list[str]]:
    """Every text of a schema, by table and column."""
    with duckdb.connect(str(file), read_only=True) as connection:
        columns = connection.execute(
            "select table_name, column_name from duckdb_columns() semi join duckdb_tables()"
            " using (schema_name, table_name) where schema_name = ? and data_type = 'VARCHAR'",
            [schema],
        ).fetchall()
        return {
            f"{table}.{column}": [
                text
                for (text,) in connection.execute(
                    f'select distinct lower("{column}") from {schema}."{table}"'
                    f' where "{column}" is not null'
                ).fetchall()
            ]
            for table, column in columns
        }


def holding_the_canary(found: dict[str, list[str]]) -> set[str]:
    marks = [FIRST, LAST, "aviary", "7700", "900123"]
    return {
        place
        for place, written in found.items()
        if any(mark.lower() in text for mark in marks for text in written)
    }


def test_the_canary_is_in_no_mart(aviary: Settings) -> None:
    marts = texts(aviary.published_file, "marts")
    assert holding_the_canary(marts) == set()
    # And yet what stood beside it is there.
    assert marts["fct_carts.reason"] == ["(name)"]
    assert set(marts["fct_search_terms.term"]) == {"parcel (address)", "parcel", "(name)"}
    assert marts["fct_sessions.landing_page"] == ["https://shop.example/(address)"]
    assert marts["dim_customers.preferred_channel"] == ["(name)"]
    assert set(marts["fct_refunds.reason"]) == {"(name)"}
    assert any(
        "customers-more.csv names none" in reason for reason in marts["fct_intake_files.reason"]
    )


def test_names_and_addresses_stand_in_one_schema_of_the_build(aviary: Settings) -> None:
    personal = texts(aviary.build_file, "pii")
    assert personal["stg_contacts.email_address"] == [EMAIL]
    assert personal["int_contacts__greeted.greeting"] == [f"hello {FIRST.lower()}"]
    # What visitors type is judged by all of it, not event by event.
    typed = {
        column.split(".")[1]
        for column in holding_the_canary(texts(aviary.build_file, "intermediate"))
    }
    assert typed <= {"search_term", "term", "page_url"}
