"""What resolving referrals costs as their number doubles, in one DuckDB.

The shops are synthetic: everybody but one in ten was referred by somebody who came before, at
random, so that trees grow some thirty generations deep; one in ten was referred twice, one in a
hundred refers whoever referred him, one in five persons shares a device, and one chain is a
thousand long. Measured is every model from the referrals as sent to what each referrer brought
through all generations, beside one join of the referrals with the customers and a sum by referrer.

Usage, from the root of the project: python -m benchmarks.referrals [referrals]
"""

import sys
import tempfile
import time
from pathlib import Path

import duckdb

from tests.shops import dbt, settings_of

MODELS = (
    "int_referrals__sent",
    "int_referrals__judged",
    "int_referrals__ancestors",
    "fct_referrals",
    "fct_referrers",
    "fct_referral_programme",
)

SHOP = """
create schema staging;
create schema intermediate;
create schema marts;
create schema seeds;
create table intermediate.int_run__settings as
select 'UTC' as time_zone, 'EUR' as reporting_currency, date '2025-12-31' as as_of_date;
create table seeds.currencies as
select 'EUR' as currency, 100::decimal(28, 0) as minor_units_per_unit,
    0.01::decimal(28, 3) as minor_unit_value;
create table intermediate.int_exchange_rates__periods as
select 'GBP' as currency, 1.2 as rate, date '2020-01-01' as valid_from,
    date '2026-01-01' as valid_to;
create table people as
select
    number,
    md5(number::varchar) as customer_id,
    timestamp '2020-01-01' + interval 1 minute * floor(number * 3e6 / {size}) as came_at,
    case
        when number between 1 and 1000 then number - 1
        when random() < 0.9 then floor(random() * number)::bigint
    end as referrer
from range({size}) as numbers (number);
create table intermediate.int_identity__accounts as
select customer_id as account_id, customer_id, came_at as known_since from people;
create table intermediate.int_identity__emails as
select null::varchar as email_hash, null::varchar as customer_id where false;
create table intermediate.int_identity__logins as
select 'files' as source_name, 'device ' || number // 10 as anonymous_id, customer_id
from people where number % 5 = 0;
create table intermediate.int_orders__numbered as
select 'o' || number as order_id, customer_id, 1 as order_number from people where number % 3 = 0;
create table intermediate.int_orders__valued as
select 'o' || number as order_id, customer_id, came_at as ordered_at, came_at::date as order_date
from people where number % 3 = 0;
create table intermediate.int_sales__entries as
select customer_id, (random() * 100)::decimal(18, 3) as net_sales from people where number % 3 = 0;
create table intermediate.int_customers__acquired as
select customer_id from people where number % 3 = 0;
create table marts.fct_customer_ltv as
select customer_id, 10::decimal(18, 3) as predicted_ltv_365_days from people where number % 3 = 0;
create table sent as
select own.number, above.customer_id as referrer, own.customer_id as referred, own.came_at
from people as own join people as above on own.referrer = above.number
union all
select own.number, above.customer_id, own.customer_id, own.came_at
from people as own join people as above on (own.number * 7919) % {size} = above.number
where own.number % 10 = 0
union all
select own.number, own.customer_id, above.customer_id, own.came_at
from people as own join people as above on own.referrer = above.number
where own.number % 100 = 0;
create table staging.stg_referrals as
select
    'files' as source_name, 'r' || row_number() over () as referral_id,
    referrer as referrer_customer_id, referred as referred_customer_id,
    null::varchar as referred_email_hash, null::varchar as currency,
    5::decimal(18, 6) as reward_amount, came_at as sent_at, null::timestamp as converted_at
from sent order by came_at;
"""

ONE_JOIN = """
select referrals.referrer_customer_id, count(*), sum(sales.net_sales)
from staging.stg_referrals as referrals
left join intermediate.int_sales__entries as sales
    on referrals.referred_customer_id = sales.customer_id
group by referrals.referrer_customer_id
"""


def compiled() -> dict[str, str]:
    """The SQL of each model."""
    with tempfile.TemporaryDirectory() as own:
        settings = settings_of(Path(own), Path(own))
        settings.build_dir.mkdir()
        results = dbt(settings, "compile", "--full-refresh", "--select", " ".join(MODELS))
    return {result.node.name: result.node.compiled_code for result in results}


def seconds(connection: duckdb.DuckDBPyConnection, table: str, sql: str) -> float:
    start = time.perf_counter()
    connection.execute(f"create or replace table {table} as {sql}")
    return time.perf_counter() - start


def measured(models: dict[str, str], size: int) -> tuple[int, int, float, float]:
    """Referrals, generations, and the seconds of one join and of all models, fastest of three."""
    with (
        tempfile.TemporaryDirectory() as own,
        duckdb.connect(str(Path(own) / "build.duckdb")) as connection,
    ):
        connection.execute("select setseed(0.5)")
        connection.execute(SHOP.format(size=size))
        once, whole = [], []
        for _ in range(3):
            once.append(seconds(connection, "by_referrer", ONE_JOIN))
            took = 0.0
            for name in MODELS:
                schema = "marts" if name.startswith("fct_") else "intermediate"
                took += seconds(connection, f"{schema}.{name}", models[name])
            whole.append(took)
        found = connection.execute("select count(*), max(generation) from marts.fct_referrals")
        referrals, generations = found.fetchone() or (0, 0)
    return referrals, generations, min(once), min(whole)


def main() -> None:
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    models = compiled()
    print("| referrals | generations | one join | resolved | ratio | a million would take |")
    print("|---|---|---|---|---|---|")
    for part in (8, 4, 2, 1):
        referrals, generations, once, whole = measured(models, largest // part)
        print(
            f"| {referrals:,} | {generations:,} | {once:.2f} s | {whole:.2f} s"
            f" | {whole / once:.1f} | {whole / referrals * 1e6:.1f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
