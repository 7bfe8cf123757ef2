"""What life tables cost beside one `group by customer` over the same orders, in one DuckDB.

The shop is synthetic: ten million orders by default, of customers who come evenly over four years
and buy again after exponential times, with eight channels, ten countries, forty categories, three
devices. Orders lie in the order of their days, as files bring them. Measured are the models
int_repeat__follow_ups, int_repeat__life_tables and int_repeat__rates: every dimension, every cohort
month, every purchase number and window, with intervals.

Usage, from the root of the project: python -m benchmarks.life_tables [orders]
"""

import sys
import tempfile
import time
from pathlib import Path

import duckdb

from tests.shops import dbt, settings_of

MODELS = ("int_repeat__follow_ups", "int_repeat__life_tables", "int_repeat__rates")
AS_OF = "date '2025-12-31'"
ORDERS_PER_CUSTOMER = 4.1

SHOP = """
create schema intermediate;
create table intermediate.int_run__settings as select {as_of} as as_of_date;
create table customers as
select
    md5(number::varchar) as customer_id,
    {as_of} - (random() * 1460)::integer as first_purchase_date,
    ['ads', 'search', 'email', 'direct', 'social', 'affiliate', 'referral', 'organic'][
        1 + (random() * 7.99)::integer % 8
    ] as acquisition_channel,
    ['DE', 'AT', 'CH', 'FR', 'IT', 'NL', 'PL', 'ES', 'SE', 'unknown'][
        1 + (random() * 9.99)::integer % 10
    ] as country,
    'category ' || (random() * random() * 40)::integer as first_category,
    1 + (random() * random() * 3)::integer as first_categories,
    random() < 0.3 as is_discount_acquired,
    ['desktop', 'mobile', 'tablet'][1 + (random() * 2.99)::integer % 3] as device,
    (-ln(random()) * 4)::integer as repeats
from range({customers}) as numbers(number);
create table orders as
select customer_id, order_date, (random() * 100)::decimal(18, 3) as net_sales
from (
    select
        customer_id,
        first_purchase_date + sum(case when repeat > 0 then 1 - ln(random()) * 70 else 0 end) over (
            partition by customer_id order by repeat
        )::integer as order_date
    from customers, range(0, repeats + 1) as repeated(repeat)
)
where order_date <= {as_of}
order by order_date;
create table intermediate.int_purchases__occasions as
select
    *,
    lead(days_since_first_purchase) over (partition by customer_id order by purchase_number)
    - days_since_first_purchase as days_to_next_purchase
from (
    select
        customer_id,
        row_number() over (partition by customer_id order by order_date) as purchase_number,
        order_date - min(order_date) over (partition by customer_id) as days_since_first_purchase
    from (select distinct customer_id, order_date from orders)
);
create table intermediate.int_repeat__customers as
select
    customers.*,
    date_trunc('month', first_purchase_date)::date as cohort_month,
    days_to_next_purchase as days_to_second_purchase
from customers
join intermediate.int_purchases__occasions as purchases
    on customers.customer_id = purchases.customer_id and purchase_number = 1;
"""

BY_CUSTOMER = """
select customer_id, count(*), min(order_date), max(order_date), sum(net_sales)
from orders group by customer_id
"""


def compiled() -> dict[str, str]:
    """The SQL of each model."""
    with tempfile.TemporaryDirectory() as own:
        settings = settings_of(Path(own), Path(own))
        settings.build_dir.mkdir()
        results = dbt(settings, "compile", "--full-refresh", "--select", " ".join(MODELS))
    return {result.node.name: result.node.compiled_code for result in results}


def seconds(connection: duckdb.DuckDBPyConnection, table: str, sql: str) -> float:
    """The fastest of three runs that write a table."""
    measured = []
    for _ in range(3):
        start = time.perf_counter()
        connection.execute(f"create or replace table {table} as {sql}")
        measured.append(time.perf_counter() - start)
    return min(measured)


def main() -> None:
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    models = compiled()
    with (
        tempfile.TemporaryDirectory() as own,
        duckdb.connect(str(Path(own) / "build.duckdb")) as connection,
    ):
        connection.execute("select setseed(0.5)")
        customers = int(orders / ORDERS_PER_CUSTOMER)
        connection.execute(SHOP.format(as_of=AS_OF, customers=customers))
        counted = connection.execute(
            "select count(*), count(distinct customer_id) from orders"
        ).fetchone()
        print("{:,} orders of {:,} customers\n".format(*(counted or ())))
        once = seconds(connection, "by_customer", BY_CUSTOMER)
        print("| | seconds | ratio | rows |\n|---|---|---|---|")
        print(f"| one group by customer | {once:.2f} | 1.0 | {customers:,} |")
        whole = 0.0
        for name in MODELS:
            took = seconds(connection, f"intermediate.{name}", models[name])
            (rows,) = connection.sql(f"select count(*) from intermediate.{name}").fetchone() or (0,)
            print(f"| `{name}` | {took:.2f} | {took / once:.1f} | {rows:,} |")
            whole += took
        print(f"| life tables together | {whole:.2f} | {whole / once:.1f} | |")


if __name__ == "__main__":
    main()
