"""Repeat rates of small shops that can be worked out in the head."""

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

LAST = date(2025, 6, 30)
Order = tuple[str, date]


def shop(folder: Path, orders: Iterable[Order], **given: object) -> Settings:
    lines: list[dict[str, Any]] = [
        {
            "order_id": number,
            "customer_id": customer,
            "ordered_at": f"{day} 12:00:00",
            "merchandise_amount": "10",
            **given,
        }
        for number, (customer, day) in enumerate(orders)
    ]
    write_csv(folder / "landing" / "files" / "orders.csv", lines)
    return settings_of(folder / "landing", folder / "warehouse", connectors="files")


def purchases(
    name: str, customers: int, ago: int, gap: int | None = None, returning: int | None = None
) -> list[Order]:
    """Customers who first bought so many days before as_of; some came back after a gap."""
    first = LAST - timedelta(days=ago)
    bought = [(f"{name}{number}", first) for number in range(customers)]
    if gap is not None:
        back = customers if returning is None else returning
        bought += [(f"{name}{number}", first + timedelta(days=gap)) for number in range(back)]
    return bought


def corrected(settings: Settings) -> dict[int, tuple[Any, ...]]:
    rebuild(settings, as_of=LAST, marts=["fct_repurchase_rates"])
    return {
        window: figures
        for window, *figures in rows(
            settings,
            """
            select window_days, mature_customers, at_risk, km_repurchase_rate
            from fct_repurchase_rates where dimension_name = 'all' and cohort_month is null
            """,
        )
    }


def test_a_curve_says_nothing_beyond_the_last_day_on_which_somebody_was_at_risk(
    tmp_path: Path,
) -> None:
    """A relaunched shop: the few old customers all came back, the young ones have had 50 days."""
    old = purchases("old", 12, ago=400, gap=20)
    young = purchases("young", 1000, ago=50, gap=10, returning=100)
    got = corrected(shop(tmp_path, [*old, *young]))
    assert got[30] == [1012, 900, pytest.approx(112 / 1012)]
    assert got[60] == got[90] == got[180] == got[365] == [12, 0, None]


def test_a_plain_share_is_shown_however_few_are_left(tmp_path: Path) -> None:
    got = corrected(shop(tmp_path, purchases("old", 10, ago=400, gap=20)))
    assert got[30] == got[365] == [10, 0, 1.0]
    got = corrected(shop(tmp_path / "nine", purchases("old", 9, ago=400, gap=20)))
    assert got[30] == got[365] == [9, 0, None]


def test_who_came_in_a_sale_was_acquired_at_a_discount(tmp_path: Path) -> None:
    def acquired(name: str, *sales: str) -> list[Any]:
        bought = [("before", date(2025, 2, 28)), ("first", date(2025, 3, 1))]
        bought += [("last", date(2025, 3, 2)), ("after", date(2025, 3, 3))]
        bought += [("before", date(2025, 3, 2))]  # a second purchase
        built = rebuild(
            shop(tmp_path / name, bought),
            as_of=LAST,
            on_seeds=[f"insert into seeds.sale_windows values {sale}" for sale in sales],
        )
        query = "select customer_id, is_discount_acquired from dim_customers order by 1"
        return [is_acquired for _, is_acquired in rows(built, query)]

    spring = "('spring', '2025-03-01', '2025-03-02')"
    assert acquired("once", spring) == [False, False, True, True]
    inside, later = "('day', '2025-03-02', '2025-03-02')", "('summer', '2025-08-01', '2025-08-09')"
    assert acquired("overlapping", spring, inside, later) == [False, False, True, True]
    assert acquired("none", later) == [None] * 4  # nothing says which orders were discounted


def test_what_is_learned_of_a_customer_later_does_not_say_how_he_came(tmp_path: Path) -> None:
    """Guests who open an account with their second order."""
    settings = shop(
        tmp_path,
        [("guest", date(2025, 1, 1)), ("guest", date(2025, 1, 20)), ("known", date(2025, 1, 1))],
        country_code="AT",
        acquisition_channel="ads",
    )
    accounts = [
        {
            "customer_id": name,
            "created_at": day,
            "country_code": "DE",
            "acquisition_channel": "mail",
        }
        for name, day in (("guest", "2025-01-20 11:00:00"), ("known", "2025-01-01 11:00:00"))
    ]
    write_csv(tmp_path / "landing" / "files" / "customers.csv", accounts)
    built = rebuild(settings, as_of=LAST, marts=["fct_repurchase_rates"])
    assert rows(
        built,
        """
        select dimension_name, dimension_value, customers, repurchased from fct_repurchase_rates
        where dimension_name in ('country', 'acquisition_channel') and cohort_month is null
            and window_days = 30
        order by all
        """,
    ) == [
        ("acquisition_channel", "ads", 1, 1),
        ("acquisition_channel", "mail", 1, 0),
        ("country", "AT", 1, 1),
        ("country", "DE", 1, 0),
    ]


def test_orders_of_one_day_that_count_apart_are_no_gap(tmp_path: Path) -> None:
    days = [0, 0, 0, 0, 40, 80, 120]
    bought = [("a", LAST - timedelta(days=300 - day)) for day in days]
    settings = shop(tmp_path, bought)
    built = rebuild(settings.model_copy(update={"merge_same_day_orders": False}), as_of=LAST)
    due = rows(built, "select purchase_count, next_purchase_due_date from dim_customers")
    assert due == [(7, LAST - timedelta(days=300 - 160))]
