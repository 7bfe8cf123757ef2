"""A shop that never changes: customers come evenly, each with a rate and an inclination to leave of
his own, and behave in its last year as in its first. Whatever a rate says of it at one age and not
at another is the rate's doing."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from dagster_project.lib.ltv.purchases import MBG_NBD, Purchases
from dagster_project.lib.settings import Settings
from tests.histories import Array, Lives, lives
from tests.shops import rebuild, settings_of

BEHAVIOUR = Purchases(MBG_NBD, 0.8, 100.0, 0.7, 2.5)
AS_OF = date(2025, 12, 31)
CUSTOMERS, FOLLOWED = 30_000, 1_000_000  # of a shop, and those by whom the truth is known
MARTS = ("fct_repurchase_rates", "fct_next_purchase_rates")


def build(folder: Path, years: int) -> Settings:
    """The repeat rates of a shop whose first customers came so many years before."""
    write_orders(folder / "landing" / "files", lives(BEHAVIOUR, CUSTOMERS, years, 365 * years, 0))
    settings = settings_of(folder / "landing", folder / "warehouse")
    return rebuild(settings, as_of=AS_OF, marts=MARTS)


def truth() -> Array:
    """days_of_purchase of customers of whom each is followed for 180 + 365 days."""
    return days_of_purchase(lives(BEHAVIOUR, FOLLOWED, 0, 1, 180 + 365))


def true_rate(days: Array, n: int, window: int) -> tuple[float, int]:
    """Share with an (n+1)-th purchase within the window of the n-th, and of how many: of those
    whose n-th came within 180 days of the first."""
    reached = days[days[:, n - 1] <= 180]
    return float(np.mean(reached[:, n] - reached[:, n - 1] <= window)), len(reached)


def write_orders(folder: Path, shop: Lives, as_of: date = AS_OF, channel: Array | int = 0) -> None:
    """The first order of each customer and the others, none after the end of as_of; with each the
    channel that brought the customer."""
    known = shop.when <= shop.age[shop.who]
    who = np.concatenate([np.arange(shop.age.size), shop.who[known]])
    ago = np.concatenate([shop.age, (shop.age[shop.who] - shop.when)[known]])
    value = np.concatenate([shop.first_value, shop.value[known]])
    channel = np.broadcast_to(channel, shop.age.size)[who]
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.register(
            "orders", pa.table({"who": who, "ago": ago, "value": value, "channel": channel})
        )
        connection.execute(
            f"""
            copy (
                select
                    row_number() over (order by ago desc)::varchar as order_id,
                    'c' || who as customer_id,
                    timestamp '{as_of}' + interval 1 day
                    - to_microseconds(1 + cast(ago * 86400e6 as bigint)) as ordered_at,
                    cast(value as decimal(18, 2)) as merchandise_amount,
                    channel::varchar as acquisition_channel
                from orders
            ) to '{folder / "orders.parquet"}' (format parquet)
            """
        )


def days_of_purchase(shop: Lives, most: int = 5) -> Array:
    """By customer the day of the n-th purchase in column n - 1, counted from the first one's;
    infinity where there is none. Purchases of one day are one."""
    now = shop.age[shop.who] - shop.when
    day = (np.floor(shop.age)[shop.who] - np.floor(now)).astype(int)
    who, day = np.divmod(np.unique(shop.who[day > 0] * 10_000 + day[day > 0]), 10_000)
    number = 1 + np.arange(who.size) - np.searchsorted(who, who)
    days = np.full((shop.age.size, most), np.inf)
    days[:, 0] = 0
    days[who[number < most], number[number < most]] = day[number < most]
    return days
