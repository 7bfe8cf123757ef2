"""How long the step between histories and predictions takes: fits at three past cut-offs and of
today, the choice, and the predictions that the marts read; first from nothing, then with the past
kept. The build is made of simulated customers, in the tables that the step reads.

Usage, from the root of the project: python -m benchmarks.ltv_scoring [customers ...]
Where the time goes: python -m cProfile -s cumulative -m benchmarks.ltv_scoring
"""

import resource
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.ltv_against_lifetimes import DAYS, PURCHASES, SEED, SPEND
from dagster_project.lib.ltv.predict import predict
from dagster_project.lib.settings import Settings, load_settings
from tests.histories import Lives, lives

AS_OF = date(2025, 12, 31)
CUT_OFFS = (date(2025, 4, 30), date(2025, 5, 31), date(2025, 6, 30))
BACKTEST_DAYS = 180
CHANNELS = np.array(["ads", "direct", "email", "search", "social"])


def at_cut_off(shop: Lives, days: int, horizon: int) -> Lives:
    """The customers so many days before, and what they did until the end of a horizon."""
    known = shop.age > days
    number = np.cumsum(known) - 1
    age = shop.age - days
    seen = known[shop.who] & (shop.when <= age[shop.who] + horizon)
    return replace(
        shop,
        age=age[known],
        who=number[shop.who[seen]],
        when=shop.when[seen],
        value=shop.value[seen],
    )


def write_build(settings: Settings, customers: int) -> None:
    shop = lives(PURCHASES, customers, SEED, DAYS, horizon=0, spend=SPEND)
    today = shop.in_whole_days()
    channel = CHANNELS[np.random.default_rng(SEED).integers(CHANNELS.size, size=customers)]
    settings.build_dir.mkdir(parents=True)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("create schema intermediate")
        connection.execute(
            f"""
            create table intermediate.int_run__settings as
            select
                date '{AS_OF}' as as_of_date,
                {BACKTEST_DAYS} as ltv_backtest_days,
                180 as ltv_min_history_days,
                100 as ltv_min_repeat_customers,
                0.1::double as discount_rate_per_year
            """
        )
        connection.execute(
            f"""
            create table intermediate.int_purchases__occasions as
            select date '{AS_OF - timedelta(days=DAYS)}' as purchase_date
            """
        )
        table = pa.table(
            {
                "frequency": today.x,
                "recency_days": today.t_x.astype(int),
                "age_days": today.T.astype(int),
                "valued_repeats": today.x_m,
                "repeat_sales": today.m * today.x_m,
                "acquisition_channel": channel,
            }
        )
        connection.register("customers", table)
        connection.execute(
            f"""
            create table intermediate.int_ltv__customers as
            select
                * replace (cast(repeat_sales as decimal(18, 2)) as repeat_sales),
                date_trunc('month', date '{AS_OF}' - cast(age_days as integer)) as cohort_month
            from customers
            """
        )
        queries = []
        for day in CUT_OFFS:
            past = at_cut_off(shop, (AS_OF - day).days, BACKTEST_DAYS).in_whole_days()
            columns = {
                "frequency": past.x,
                "recency_days": past.t_x.astype(int),
                "age_days": past.T.astype(int),
                "purchases_afterwards": past.holdout,
            }
            name = f"past_{day:%Y_%m_%d}"
            connection.register(name, pa.table(columns))
            queries.append(
                f"select date '{day}' as cut_off_date, *, count(*) as customers from {name}"
                " group by all"
            )
        connection.execute(
            f"create table intermediate.int_ltv__histories as {' union all '.join(queries)}"
        )


def main() -> None:
    print("| customers | first run | past kept | memory |")
    print("|---|---|---|---|")
    for customers in [int(text) for text in sys.argv[1:]] or [1_000_000]:
        cells = [f"{customers:,}"]
        with tempfile.TemporaryDirectory() as folder:
            settings = load_settings(landing=Path(folder), warehouse=Path(folder) / "warehouse")
            write_build(settings, customers)
            for _ in range(2):
                start = time.perf_counter()
                predict(settings)
                cells.append(f"{time.perf_counter() - start:.1f} s")
        cells.append(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
