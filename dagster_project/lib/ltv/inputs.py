"""What the fit reads from a build: histories at past cut-offs, and the customers of today."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from dagster_project.lib.engine import Engine
from dagster_project.lib.errors import InputError
from dagster_project.lib.intake.sql import literal
from dagster_project.lib.ltv.arrays import Floats, Ints
from dagster_project.lib.ltv.cohorts import WEEK, cohort_of
from dagster_project.lib.ltv.grade import Histories
from dagster_project.lib.settings import Settings

TABLES = (
    "int_run__settings",
    "int_purchases__occasions",
    "int_ltv__histories",
    "int_ltv__customers",
    "int_advocacy__value_counts",
)
HISTORY = ("cohort_month", "channel", "x", "t_x", "T")


@dataclass(frozen=True)
class Limits:
    """Settings of the run that decide about predictions, and how long the shop has sold."""

    run_id: str
    as_of: date
    first_purchase: date | None
    backtest_days: int
    min_history_days: int
    min_repeat_customers: int
    discount_rate: float

    @property
    def history_days(self) -> int:
        return (self.as_of - self.first_purchase).days if self.first_purchase else 0


@dataclass(frozen=True)
class Customers:
    """Customers alike in month and channel of their first purchase and in x, t_x, T (in weeks)."""

    as_of: date
    cohort_month: Any
    channel: Any
    x: Ints
    t_x: Floats
    T: Floats
    customers: Ints
    paid: "Paid"

    @property
    def repeat_customers(self) -> int:
        return int(self.customers[self.x > 0].sum())

    @cached_property
    def cohort(self) -> Ints:
        return cohort_of(self.as_of, self.T)

    @cached_property
    def distinct(self) -> tuple[Ints, Ints]:
        """x, and t_x and T in days, each combination once, and which of them each group has."""
        days = np.stack([self.x, self.t_x * WEEK, self.T * WEEK]).round().astype(int)
        histories, index = np.unique(days, axis=1, return_inverse=True)
        return histories, index


@dataclass(frozen=True)
class Paid:
    """The same customers, alike also in x_m and the sum of these purchases. history: the position
    among those above."""

    history: Ints
    x_m: Ints
    sales: Floats
    customers: Ints

    @property
    def m(self) -> Floats:
        return self.sales / np.maximum(self.x_m, 1)

    def where(self, chosen: NDArray[np.bool_]) -> "Paid":
        history, x_m = self.history[chosen], self.x_m[chosen]
        return Paid(history, x_m, self.sales[chosen], self.customers[chosen])


def read(
    settings: Settings, engine: Engine = Engine.duckdb
) -> tuple[Limits, list[Histories], Customers]:
    """From the build that stands: cut-offs in the order of time, and the customers of today."""
    with open_build(settings, engine) as connection:
        row = connection.execute(
            """
            select
                run_id,
                as_of_date,
                (select min(purchase_date) from intermediate.int_purchases__occasions),
                ltv_backtest_days,
                ltv_min_history_days,
                ltv_min_repeat_customers,
                discount_rate_per_year
            from intermediate.int_run__settings
            """
        ).fetchone()
        past = connection.execute(
            """
            select cut_off_date, frequency, recency_days, age_days, purchases_afterwards, customers
            from intermediate.int_ltv__histories
            order by all
            """
        ).fetchnumpy()
        today = connection.execute(
            """
            select
                cohort_month,
                acquisition_channel as channel,
                frequency as x,
                recency_days as t_x,
                age_days as T,
                valued_repeats as x_m,
                repeat_sales,
                count(*) as customers
            from intermediate.int_ltv__customers
            group by all
            order by all
            """
        ).fetchnumpy()
    assert row is not None
    limits = Limits(*row)
    return limits, list(_by_cut_off(limits, past)), _customers(limits, today)


def open_build(settings: Settings, engine: Engine) -> duckdb.DuckDBPyConnection:
    """The build of an engine, for reading. Raises InputError where there is none."""
    if engine is Engine.duckdb:
        if not settings.build_file.is_file():
            raise InputError(f"{settings.build_file}: nothing has been built yet")
        return duckdb.connect(str(settings.build_file), read_only=True)
    folder = settings.build_dir / "spark" / "intermediate.db"
    connection = duckdb.connect()
    connection.execute("create schema intermediate")
    for table in TABLES:
        if not (folder / table).is_dir():
            raise InputError(f"{folder / table}: Spark has not built this table yet")
        files = literal(folder / table / "*.parquet")
        connection.execute(f"create view intermediate.{table} as from read_parquet({files})")
    return connection


def _by_cut_off(limits: Limits, past: dict[str, Any]) -> Iterator[Histories]:
    days = past["cut_off_date"].astype("datetime64[D]")
    for day in np.unique(days):
        chosen = days == day
        yield Histories(
            day.astype(object),
            limits.backtest_days / WEEK,
            past["frequency"][chosen],
            past["recency_days"][chosen] / WEEK,
            past["age_days"][chosen] / WEEK,
            past["purchases_afterwards"][chosen],
            past["customers"][chosen],
        )


def _customers(limits: Limits, today: dict[str, Any]) -> Customers:
    """Rows with the same history follow each other."""
    columns = [today[column] for column in HISTORY]
    is_first = np.ones(len(columns[0]), bool)
    is_first[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    history = np.cumsum(is_first) - 1
    month, channel, x, t_x, T = (column[is_first] for column in columns)
    return Customers(
        limits.as_of,
        month,
        channel,
        x,
        t_x / WEEK,
        T / WEEK,
        np.bincount(history, today["customers"]).astype(np.int64),
        Paid(
            history,
            today["x_m"],
            today["repeat_sales"].astype(float),
            today["customers"],
        ),
    )
