"""Who is one person: the pairs planted in the synthetic shop, caps, and overrides."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.errors import InputError
from dagster_project.lib.intake.placeholders import write_placeholders
from dagster_project.lib.settings import Settings
from tests.definitions.demo_files import DemoFiles
from tests.shops import contents, dbt, rebuild, rows, settings_of, write_csv


def built(warehouse: Path | Settings, sql: str) -> list[tuple[Any, ...]]:
    """The answer of what is not published."""
    folder = warehouse.warehouse if isinstance(warehouse, Settings) else warehouse
    with duckdb.connect(str(folder / "build" / "build.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_no_planted_pair_is_missed_and_none_is_merged_that_is_two_persons(
    demo: Path, demo_files: DemoFiles
) -> None:
    person = {
        (kind, identifier): customer
        for kind, identifier, customer in built(
            demo,
            "select identifier_type, identifier, customer_id from intermediate.int_identity__links",
        )
    }
    pairs = demo_files.table("identity_pairs")
    assert {pair["is_same_person"] for pair in pairs} == {True, False}
    for pair in pairs:
        left = person[pair["left_type"], pair["left_id"]]
        right = person[pair["right_type"], pair["right_id"]]
        assert left is not None and right is not None, pair
        assert (left == right) is pair["is_same_person"], pair


def test_persons_are_those_of_the_files(demo: Path, demo_files: DemoFiles) -> None:
    found = built(
        demo,
        "select identifier, customer_id from intermediate.int_identity__links"
        " where identifier_type = 'account'",
    )
    assert dict(found) == {number: demo_files.person(number) for number in demo_files.accounts}


def test_what_identifies_nobody_says_why(demo: Path) -> None:
    reasons = built(
        demo,
        "select reason, count(*) from intermediate.int_identity__links"
        " where identifier_type = 'account' and reason <> 'stands for itself' group by reason",
    )
    found = dict(reasons)
    assert found["stands for itself; its address is shared by 30 accounts"] == 30
    assert found["stands for itself; its address is a placeholder"] == 8


FAMILY = [
    {"customer_id": "mother", "email": "home@example.org", "created_at": "2024-01-01"},
    {"customer_id": "daughter", "email": "home@example.org", "created_at": "2024-02-01"},
    {"customer_id": "old", "email": "old@example.org", "created_at": "2024-01-01"},
    {"customer_id": "new", "email": "new@example.org", "created_at": "2024-03-01"},
    {"customer_id": "till", "email": "", "created_at": "2024-01-01"},
]
ORDERS = [
    ("a", "mother", "", "2024-02-03", 10),
    ("b", "daughter", "", "2024-03-03", 20),
    ("c", "old", "", "2024-01-04", 30),
    ("d", "new", "", "2024-04-05", 40),
    ("e", "", "guest@example.org", "2024-04-06", 50),
    ("f", "", "NoEmail@example.com ", "2024-04-07", 60),
    ("g", "", "former@example.org", "2024-05-01", 70),
    ("h", "new", "former@example.org", "2024-06-01", 80),
    *((f"t{n}", "till", f"walk-in-{n}@example.org", "2024-06-02", 90) for n in range(11)),
]


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("family")
    write_csv(folder / "landing" / "files" / "customers.csv", FAMILY)
    names = ("order_id", "customer_id", "customer_email", "ordered_at", "merchandise_amount")
    orders = [dict(zip(names, order, strict=True)) for order in ORDERS]
    write_csv(folder / "landing" / "files" / "orders.csv", orders)
    return rebuild(settings_of(folder / "landing", folder / "warehouse"))


def persons(settings: Settings) -> dict[str, str | None]:
    return dict(rows(settings, "select order_id, customer_id from fct_orders"))


def decide(settings: Settings, *decisions: tuple[str, str, str]) -> None:
    """Publishes with these rows in the seed identity_overrides."""
    lines = [(*decision, "2024-07-01", "known to the shop") for decision in decisions]
    insert = "insert into seeds.identity_overrides values"
    rebuild(settings, on_seeds=[f"{insert} {line}" for line in lines])


def test_persons_of_addresses_caps_and_placeholders(family: Settings) -> None:
    found = persons(family)
    assert (found["a"], found["b"]) == ("mother", "mother")
    assert (found["c"], found["d"]) == ("old", "new")
    assert found["f"] is None, "a placeholder"
    assert found["g"] == found["h"] == "new", "the address was named with this account only"
    walked_in = [found[f"t{n}"] for n in range(11)]
    assert len({*walked_in}) == 11 and "till" not in walked_in, "the account is nobody's"
    guest = found["e"]
    assert guest and guest not in ("mother", "old", "new")


def test_an_override_joins_or_parts_and_taken_back_leaves_every_mart_as_before(
    family: Settings,
) -> None:
    before, guest = contents(family, without=["fct_restatements"]), persons(family)["e"]
    decide(
        family,
        ("daughter", "mother", "apart"),
        ("new", "old", "together"),
        (str(guest), "old", "together"),
    )
    found = persons(family)
    assert (found["a"], found["b"]) == ("mother", "daughter")
    assert [found[order] for order in "cdegh"] == ["old"] * 5
    effects = rows(
        family,
        "select resolution, customers, orders_without_customer, net_sales, net_sales_per_customer"
        " from fct_identity_effects order by resolution",
    )
    total = sum(order[-1] for order in ORDERS)
    persons_by_rules = ["mother", "old", "new", "guest", *range(11)]
    known = total - 60
    assert [(*row[:4], float(row[4])) for row in effects] == [
        ("as delivered", 8, 0, total, total / 8),
        ("by rules", len(persons_by_rules), 1, known, known / len(persons_by_rules)),
        ("by rules and overrides", 14, 1, known, round(known / 14, 3)),
    ]
    reasons = dict(built(family, "select identifier, reason from intermediate.int_identity__links"))
    assert reasons["daughter"] == "kept apart from mother by identity_overrides"
    assert reasons["new"] == "put together with old by identity_overrides"
    decide(family)
    assert contents(family, without=["fct_restatements"]) == before


def test_an_override_that_points_at_one_who_is_moved_is_refused(family: Settings) -> None:
    test = "assert_identity_overrides_end_where_they_point"
    with duckdb.connect(str(family.build_file)) as connection:
        connection.execute(
            "insert into seeds.identity_overrides values"
            " ('new', 'old', 'together', null, null), ('old', 'mother', 'together', null, null)"
        )
    with pytest.raises(AssertionError, match=test):
        dbt(family, "test", "--select", test)
    with duckdb.connect(str(family.build_file)) as connection:
        connection.execute("delete from seeds.identity_overrides where customer_id = 'new'")
    dbt(family, "test", "--select", test)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("address\nnone@none.com\n", ":1 is to name one column, email"),
        ("email\nnone@none.com\nnone\n", ":3 'none' is no address"),
    ],
)
def test_a_seed_of_placeholders_that_is_none_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "placeholder_emails.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        write_placeholders(settings_of(tmp_path, tmp_path), file)
