"""fct_restatements lists what a version says otherwise than the one it replaced, and nothing else.

One shop, published again and again; what each version should list is computed here, from orders,
refunds and transitions of the two versions, day by day.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dagster_project.lib.intake.ledger import PREVIOUS_COLUMNS
from dagster_project.lib.publish.generations import rollback
from dagster_project.lib.settings import Settings
from tests.shops import rebuild, rows, settings_of, write_csv

LATE = "facts came late or were corrected"
PERSONS = "accounts were merged, separated or given other orders"
RULES = "settings, seeds or models were changed"

CUSTOMERS = {  # account -> e-mail, registered
    "anna": ("anna@example.org", "2025-01-02"),
    "anna2": ("anna.two@example.org", "2025-02-01"),
    "bela": ("bela@example.org", "2025-01-05"),
    "cora": ("cora@example.org", "2025-01-06"),
    "fritz": ("fritz@example.org", "2025-03-02"),
    "fritz2": ("fritz.two@example.org", "2025-03-03"),
}
ORDERS = {  # order -> customer, day, amount, status
    "o1": ("anna", "2025-01-10", "40.00", "completed"),
    "o2": ("anna2", "2025-02-12", "30.00", "completed"),
    "o3": ("bela", "2025-01-20", "25.00", "completed"),
    "o4": ("cora", "2025-02-20", "60.00", "completed"),
    "o5": ("bela", "2025-03-05", "20.00", "completed"),
    "o6": ("dora", "2025-01-15", "10.00", "completed"),
}
REFUNDS = {"r1": ("o3", "5.00", "2025-02-02")}  # refund -> order, amount, day
LATE_ORDERS = {
    "o5": ("bela", "2025-03-05", "20.00", "cancelled"),
    "o7": ("cora", "2025-02-05", "12.34", "completed"),
    "o8": ("emil", "2025-01-28", "8.00", "completed"),
}
LATE_REFUNDS = {"r2": ("o1", "10.00", "2025-02-15")}
MERGED = {
    "anna2": ("anna@example.org", "2025-02-01"),
    "fritz2": ("fritz@example.org", "2025-03-03"),
}

Difference = tuple[str, str | None, date, str | None, str | None]


@dataclass(frozen=True)
class Version:
    """What a published version says, without its list of restatements, and that list."""

    generation: str
    as_of: date
    transitions: dict[tuple[str, date], str]
    orders: list[tuple[date, Decimal, Decimal]]  # of valid ones: day, gross sales, discount
    refunds: list[tuple[date, Decimal]]
    first_purchases: list[date]
    listed: list[tuple[Difference, str, datetime, str]]  # what, cause, when, run

    def figures(self, until: date) -> dict[tuple[str, date], str]:
        """Figures by month, of the days up to one."""
        counts: Counter[tuple[str, date]] = Counter()
        sums: dict[tuple[str, date], Decimal] = {}

        def add(metric: str, day: date, amount: Decimal) -> None:
            key = metric, day.replace(day=1)
            sums[key] = sums.get(key, Decimal("0.000")) + amount

        for day, gross_sales, discount in self.orders:
            if day <= until:
                counts["orders", day.replace(day=1)] += 1
                add("gross_sales", day, gross_sales)
                add("net_sales_by_refund_date", day, gross_sales - discount)
        for day, amount in self.refunds:
            if day <= until:
                add("net_sales_by_refund_date", day, -amount)
        for day in self.first_purchases:
            if day <= until:
                counts["new_customers", day.replace(day=1)] += 1
        return {key: str(value) for key, value in (*counts.items(), *sums.items())}


def version(settings: Settings | Path) -> Version:
    ((generation, as_of),) = rows(settings, "select generation, as_of_date from meta.publication")
    transitions = rows(
        settings,
        "select customer_id, transition_date, to_stage, to_segment from fct_lifecycle_transitions",
    )
    listed = rows(
        settings,
        "select metric, customer_id, period_start, old_value, new_value, cause, restated_at, run_id"
        " from fct_restatements order by restated_at, metric, period_start, customer_id",
    )
    return Version(
        generation,
        as_of,
        {(customer, day): f"{stage}, {segment}" for customer, day, stage, segment in transitions},
        rows(
            settings,
            "select order_date, gross_sales, discount_amount from fct_orders where is_valid",
        ),
        rows(settings, "select refund_date, amount from fct_refunds where is_counted"),
        [
            day
            for (day,) in rows(settings, "select first_purchase_date from dim_customers")
            if day is not None
        ],
        [(tuple(row[:5]), *row[5:]) for row in listed],
    )


def differences(old: Version, new: Version) -> set[Difference]:
    """What two versions say otherwise of the days up to the as_of of the old one."""
    found: set[Difference] = set()
    then, now = old.figures(old.as_of), new.figures(old.as_of)
    for metric, month in then.keys() | now.keys():
        nothing = "0.000" if "sales" in metric else "0"
        pair = then.get((metric, month), nothing), now.get((metric, month), nothing)
        if pair[0] != pair[1]:
            found.add((metric, None, month, *pair))
    for customer, day in old.transitions.keys() | new.transitions.keys():
        states = old.transitions.get((customer, day)), new.transitions.get((customer, day))
        if day <= old.as_of and states[0] != states[1]:
            found.add(("state", customer, day, *states))
    return found


MARTS = (*PREVIOUS_COLUMNS.keys() - {"publication"}, "fct_refunds", "dim_customers")


@dataclass
class Shop:
    settings: Settings
    customers: dict[str, tuple[str, str]]
    orders: dict[str, tuple[str, str, str, str]]
    refunds: dict[str, tuple[str, str, str]]

    def publish(self, as_of: str, settings: Settings | None = None) -> Version:
        """Delivers everything anew and publishes it."""
        self.deliver()
        day = date.fromisoformat(as_of)
        return version(rebuild(settings or self.settings, as_of=day, marts=MARTS))

    def deliver(self) -> None:
        landing = self.settings.landing
        write_csv(
            landing / "customers.csv",
            [
                {"customer_id": account, "email": email, "created_at": f"{day} 09:00:00"}
                for account, (email, day) in self.customers.items()
            ],
        )
        write_csv(
            landing / "orders.csv",
            [
                {
                    "order_id": order,
                    "customer_id": customer,
                    "ordered_at": f"{day} 12:00:00",
                    "merchandise_amount": amount,
                    "order_status": status,
                }
                for order, (customer, day, amount, status) in self.orders.items()
            ],
        )
        write_csv(
            landing / "refunds.csv",
            [
                {
                    "refund_id": refund,
                    "order_id": order,
                    "amount": amount,
                    "refunded_at": f"{day} 12:00:00",
                }
                for refund, (order, amount, day) in self.refunds.items()
            ],
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("restated")
    settings = settings_of(folder / "landing", folder / "warehouse", connectors="files")
    return Shop(settings, dict(CUSTOMERS), dict(ORDERS), dict(REFUNDS))


SHORTER = {"fallback_at_risk_after_days": 45}


@pytest.fixture(scope="module")
def versions(shop: Shop) -> dict[str, Version]:
    """One after another, each replacing the one before."""
    shorter = shop.settings.model_copy(update=SHORTER)
    made = {"first": shop.publish("2025-03-31")}
    made["rerun"] = shop.publish("2025-03-31")
    made["month"] = shop.publish("2025-04-30")
    shop.orders |= LATE_ORDERS
    shop.refunds |= LATE_REFUNDS
    made["late"] = shop.publish("2025-05-10")
    shop.customers |= MERGED
    made["merged"] = shop.publish("2025-05-10")
    made["setting"] = shop.publish("2025-05-15", shorter)
    shop.customers |= CUSTOMERS
    made["separated"] = shop.publish("2025-05-31", shorter)
    made["backfill"] = shop.publish("2025-03-31", shorter)
    made["forward"] = shop.publish("2025-05-31", shorter)
    return made


STEPS = {"late": "month", "merged": "late", "setting": "merged", "separated": "setting"}


def added(versions: dict[str, Version], step: str) -> list[tuple[Difference, str, datetime, str]]:
    """What a version lists besides what the one before it did, which it must list too."""
    old, new = versions[STEPS[step]].listed, versions[step].listed
    assert new[: len(old)] == old
    return new[len(old) :]


def test_a_rerun_and_a_month_without_late_facts_restate_nothing(
    versions: dict[str, Version],
) -> None:
    """Though silence went on and states changed in that month."""
    assert len(versions["month"].transitions) > len(versions["rerun"].transitions)
    for step in ("first", "rerun", "month"):
        assert versions[step].listed == []


@pytest.mark.parametrize("step", STEPS)
def test_a_version_lists_its_difference_from_the_one_it_replaced(
    versions: dict[str, Version], step: str
) -> None:
    listed = [what for what, *_ in added(versions, step)]
    assert listed
    assert len(listed) == len(set(listed))
    assert set(listed) == differences(versions[STEPS[step]], versions[step])


@pytest.mark.parametrize(
    ("step", "causes"),
    [("late", {LATE}), ("merged", {PERSONS}), ("setting", {RULES}), ("separated", {LATE, PERSONS})],
)
def test_each_difference_has_its_cause_and_is_of_one_run(
    versions: dict[str, Version], step: str, causes: set[str]
) -> None:
    assert {why for _, why, _, _ in added(versions, step)} == causes
    ((when,),) = {(when,) for _, _, when, _ in added(versions, step)}
    assert when > max(
        (when for _, _, when, _ in versions[STEPS[step]].listed), default=datetime.min
    )


def test_late_facts_restate_the_figures_of_their_months(versions: dict[str, Version]) -> None:
    """By hand: January gains 8.00 of a new customer, February 12.34 less 10.00 given back, March
    loses 20.00."""
    january, february, march = (date(2025, month, 1) for month in (1, 2, 3))
    assert {what for what, *_ in added(versions, "late") if what[0] != "state"} == {
        ("orders", None, january, "3", "4"),
        ("orders", None, february, "2", "3"),
        ("orders", None, march, "1", "0"),
        ("gross_sales", None, january, "75.000", "83.000"),
        ("gross_sales", None, february, "90.000", "102.340"),
        ("gross_sales", None, march, "20.000", "0.000"),
        ("net_sales_by_refund_date", None, january, "75.000", "83.000"),
        ("net_sales_by_refund_date", None, february, "85.000", "87.340"),
        ("net_sales_by_refund_date", None, march, "20.000", "0.000"),
        ("new_customers", None, january, "3", "4"),
    }


def test_a_late_merge_ends_one_life_and_changes_the_other(versions: dict[str, Version]) -> None:
    """By hand: anna2, and fritz2 who never bought, are gone from the day they became known; anna
    bought a second time on 12 February and so was not at risk from 12 March, but in April."""
    listed = {what for what, *_ in added(versions, "merged")}
    assert ("state", "anna2", date(2025, 2, 1), "onboarding, prospect", None) in listed
    assert ("state", "anna2", date(2025, 2, 12), "retention, new", None) in listed
    assert ("state", "fritz2", date(2025, 3, 3), "onboarding, prospect", None) in listed
    assert ("state", "anna", date(2025, 3, 12), "retention, at_risk", None) in listed
    assert ("state", "anna", date(2025, 4, 14), None, "retention, at_risk") in listed
    assert {what for what in listed if what[0] != "state"} == {
        ("new_customers", None, date(2025, 2, 1), "2", "1")
    }
    assert {what[1] for what in listed} == {None, "anna", "anna2", "fritz2"}


def test_separated_persons_are_told_from_late_facts_by_their_orders(
    versions: dict[str, Version],
) -> None:
    """Anna's second account takes its orders along; of fritz2, who has none, the list only says
    that something was corrected."""
    causes = {(what[1], cause) for what, cause, *_ in added(versions, "separated")}
    assert causes == {
        (None, PERSONS),
        ("anna", PERSONS),
        ("anna2", PERSONS),
        ("fritz2", LATE),
    }


def with_the_list(
    transitions: dict[tuple[str, date], str], listed: Iterable[Difference], until: date
) -> dict[tuple[str, date], str]:
    """The old rows taken away, the new ones put in, in the order in which they were listed."""
    corrected = dict(transitions)
    for metric, customer, day, old, new in listed:
        if metric == "state" and customer is not None and day <= until:
            assert corrected.pop((customer, day), None) == old
            if new is not None:
                corrected[customer, day] = new
    return corrected


def test_a_run_for_a_past_date_differs_from_what_stood_there_by_the_list_alone(
    versions: dict[str, Version],
) -> None:
    """What was published for 31 March, and what a run for it gives four restatements later."""
    then, now = versions["first"], versions["backfill"]
    assert then.transitions != now.transitions
    listed = [what for what, *_ in versions["separated"].listed]
    assert with_the_list(then.transitions, listed, then.as_of) == now.transitions
    assert now.transitions == {
        key: state
        for key, state in versions["separated"].transitions.items()
        if key[1] <= now.as_of
    }


def test_a_run_for_an_earlier_date_hands_the_list_on_and_adds_nothing(
    versions: dict[str, Version],
) -> None:
    """Nor does the one after it, for no fact has changed."""
    assert versions["backfill"].listed == versions["separated"].listed
    assert versions["forward"].listed == versions["separated"].listed


def test_after_a_rollback_the_version_gone_back_to_is_compared(
    shop: Shop, versions: dict[str, Version]
) -> None:
    """What was restated since is restated once more, and two orders that came late meanwhile."""
    old = versions["setting"]
    rollback(shop.settings, to=old.generation)
    shop.orders["o9"] = ("gerd", "2025-03-31", "7.00", "completed")
    shop.orders["o10"] = ("gerd", "2025-05-16", "7.00", "completed")
    new = shop.publish("2025-05-31", shop.settings.model_copy(update=SHORTER))
    assert new.listed[: len(old.listed)] == old.listed
    listed = [what for what, *_ in new.listed[len(old.listed) :]]
    assert len(listed) == len(set(listed))
    assert set(listed) == differences(old, new)
    assert ("orders", None, date(2025, 3, 1), "0", "1") in listed
    assert ("state", "gerd", date(2025, 3, 31), None, "retention, new") in listed
