"""What a run says to a shop owner, read from the published warehouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from dagster_project.lib.contract import contract
from dagster_project.lib.publish.query import connect_published
from dagster_project.lib.settings import Settings

SQL = """
select
    (select as_of_date from meta.publication) as as_of,
    (select any_value(reporting_currency) from fct_orders) as currency,
    (select count(*) from dim_customers where purchase_count > 0) as customers,
    (select count(*) from fct_orders where is_valid) as orders,
    (select coalesce(sum(net_sales_by_order_date), 0) from fct_sales_daily) as net_sales,
    (select count(*) from dim_customers where purchase_count > 1) as repeat_customers,
    (
        select repurchase_rate
        from fct_repurchase_rates
        where dimension_name = 'all' and cohort_month is null and window_days = 90
    ) as repurchase_rate_90_days,
    (
        select cast(sum(net_sales) / nullif(sum(mature_customers), 0) as decimal(18, 2))
        from fct_ltv_windows
        where window_days = 90
    ) as ltv_90_days,
    (select count(*) from fct_intake_files) as files,
    (select coalesce(sum(records), 0)::bigint from fct_intake_files) as records,
    (select coalesce(sum(rejected), 0)::bigint from fct_intake_files) as rejected,
    (select count(*) from fct_check_results) as checks,
    (select count(*) from fct_reconciliation where is_balanced) as balanced,
    (select count(*) from fct_reconciliation) as reconciled
"""

MAY_BE_EMPTY = {"suppressions"}  # where it is, nobody has asked not to be contacted


@dataclass(frozen=True)
class Held:
    file: str
    reason: str


@dataclass(frozen=True)
class Warning:
    table_name: str
    observed: str
    description: str


@dataclass(frozen=True)
class ShopSummary:
    """The figures of definitions.md; shares lie between 0 and 1, None where nothing can be said.
    `missing` names the entities of the contract of which nothing was ever delivered."""

    as_of: date
    currency: str
    customers: int
    orders: int
    net_sales: Decimal
    repeat_customers: int
    repurchase_rate_90_days: float | None
    ltv_90_days: Decimal | None
    files: int
    records: int
    rejected: int
    held: Sequence[Held]
    missing: Sequence[str]
    checks: int
    warnings: Sequence[Warning]
    balanced: int
    reconciled: int


def summarise(settings: Settings) -> ShopSummary:
    """Raises InputError where nothing is published."""
    with connect_published(settings) as connection:
        answer = connection.execute(SQL)
        names = [column[0] for column in answer.description or []]
        values = answer.fetchone() or ()
        held = connection.execute(
            "select file, reason from fct_intake_files where status = 'held' order by file"
        ).fetchall()
        loaded = connection.execute(
            "select distinct connector, entity from fct_intake_files where loaded > 0"
        ).fetchall()
        warnings = connection.execute(
            "select table_name, observed, description from fct_check_results where not passed"
            " order by check_id"
        ).fetchall()
    return ShopSummary(
        **dict(zip(names, values, strict=True)),
        held=[Held(*row) for row in held],
        missing=[
            part.name
            for part in contract()
            if part.fed_by.isdisjoint(loaded) and part.name not in MAY_BE_EMPTY
        ],
        warnings=[Warning(*row) for row in warnings],
    )
