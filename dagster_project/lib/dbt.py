"""dbt without Dagster: its manifest, and what a call of it left behind."""

import json
import os
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.lib.errors import CheckFailed, InputError, RegularsError
from dagster_project.lib.publish.candidate import TableDescription
from dagster_project.lib.settings import DBT_DIR, PROJECT_ROOT, Settings

# Apart from what dbt writes when it is called by hand, maybe for another engine.
MANIFEST_FILE = DBT_DIR / "target" / f"parsed_by_{version('dbt-core')}" / "manifest.json"
PARSED_FILE = MANIFEST_FILE.with_name("partial_parse.msgpack")
DBT_PROGRAM = Path(__file__).with_name("dbt_process.py")


def prepare_manifest() -> None:
    """Parse the project where its manifest is missing or older than a file of the project.

    Processes that do so at one time each write their own and switch it in whole.
    """
    written = MANIFEST_FILE.stat().st_mtime if MANIFEST_FILE.exists() else 0.0
    sources = [
        path
        for folder in (DBT_DIR / "models", DBT_DIR / "macros", DBT_DIR / "tests")
        for path in folder.rglob("*")
    ] + [*DBT_DIR.glob("*.yml"), *(PROJECT_ROOT / "seeds").iterdir()]
    if max(path.stat().st_mtime for path in sources) <= written:
        return
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    from dbt.cli.main import dbtRunner

    folders = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR)]
    MANIFEST_FILE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=MANIFEST_FILE.parent) as own:
        target = ["--target-path", own, "--log-path", own]
        parsed = MANIFEST_FILE.with_name(PARSED_FILE.name)
        before = ["--partial-parse-file-path", str(parsed)] if parsed.exists() else []
        result = dbtRunner().invoke(["--quiet", "parse", *folders, *target, *before])
        if not result.success:
            raise RegularsError(f"the dbt project cannot be parsed: {result.exception}")
        if (Path(own) / parsed.name).exists():  # dbt writes none where no content has changed
            os.replace(Path(own) / parsed.name, parsed)
        os.replace(Path(own) / MANIFEST_FILE.name, MANIFEST_FILE)


def build_arguments() -> list[str]:
    """Arguments of both calls of a run. Unit tests test the code, not the data; a test that spans
    the two calls runs in the second, where all that it reads has been built."""
    return ["build", "--exclude-resource-type", "unit_test", "--indirect-selection", "buildable"]


def read_manifest() -> dict[str, Any]:
    """The manifest of the project as it stands now."""
    prepare_manifest()
    manifest: dict[str, Any] = json.loads(MANIFEST_FILE.read_text(encoding="utf-8"))
    return manifest


def mart_descriptions() -> dict[str, TableDescription]:
    """Descriptions and keys of the marts and their columns, from the manifest."""
    nodes = read_manifest()["nodes"].values()
    keys = {
        node["attached_node"]: node["test_metadata"]["kwargs"].get("columns", [])
        for node in nodes
        if node.get("test_metadata", {}).get("name") == "grain"
    }
    return {
        node["name"]: TableDescription(
            description=node["description"].strip(),
            columns={name: column["description"] for name, column in node["columns"].items()},
            key=tuple(keys.get(node["unique_id"], ())),
        )
        for node in nodes
        if node["resource_type"] == "model" and node["schema"] == "marts"
    }


def model_errors(target_dir: Path) -> str:
    """What kept models and seeds of dbt's last call from being built, one line each."""
    path = target_dir / "run_results.json"
    if not path.exists():
        return "dbt ended before its time; the log of the run has its last words"
    run: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return "\n".join(
        f"{result['unique_id'].split('.')[-1]}: {' '.join(str(result['message']).split())}"
        for result in run["results"]
        if result["status"] == "error" and not result["unique_id"].startswith("test.")
    )


def keep_private(settings: Settings) -> None:
    """What dbt has written is for its owner only, like the raw layer that it was made of."""
    if settings.build_file.exists():
        settings.build_file.chmod(0o600)


def check_orders(settings: Settings) -> None:
    """What must hold before marts are built, said in words that help.

    Raises CheckFailed where an order, spend, a cart's value or a reward has no exchange rate, and
    where no order counts: a shop of zeros must not replace a full one.
    """
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        unrated = connection.execute(
            """
            with
                amounts as (
                    select currency, order_date as day
                    from intermediate.int_orders__dated
                    union
                    select currency, spend_date as day
                    from staging.stg_marketing_spend
                    union
                    select currency, event_date as day
                    from intermediate.int_carts__steps
                    where value is not null
                    union
                    select currency, reward_date as day
                    from intermediate.int_referrals__sent
                    where stated_reward_amount is not null
                )
            select currency || ' to ' || run.reporting_currency || ' on ' || day
            from amounts
            cross join intermediate.int_run__settings as run
            where
                currency <> run.reporting_currency
                and day <= run.as_of_date
                and not exists (
                    from intermediate.int_exchange_rates__periods as rates
                    where rates.currency = amounts.currency
                        and day between rates.valid_from and rates.valid_to
                )
            order by 1
            """
        ).fetchall()
        reasons = connection.execute(
            """
            select coalesce(invalid_reason, ''), count(*)
            from intermediate.int_orders__valued
            group by 1
            order by 2 desc
            """
        ).fetchall()
    if unrated:
        more = f" and for {len(unrated) - 3:,} more dates" if len(unrated) > 3 else ""
        raise CheckFailed(
            f"no exchange rate from {', '.join(text for (text,) in unrated[:3])}{more}: deliver it"
            " in exchange_rates; a rate serves for 7 days"
        )
    if "" not in dict(reasons):
        listed = ", ".join(f"{reason}: {orders:,}" for reason, orders in reasons)
        raise CheckFailed(
            f"none of the orders is valid ({listed}); where they have no merchandise value, neither"
            " order_lines nor merchandise_amount was delivered: `regulars doctor` lists the columns"
            " that were not read"
        )


def as_of_date(settings: Settings) -> date:
    """The date that the build speaks of.

    Raises InputError where the run cannot mean anything: as_of before the first order, or several
    currencies and none named to report in; CheckFailed where no order was loaded.
    """
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        row = connection.execute(
            """
            select
                run.as_of_date,
                run.orders,
                run.reporting_currency,
                run.first_currency,
                run.last_currency,
                (
                    select min(timezone(run.time_zone, timezone('UTC', ordered_at)))::date
                    from staging.stg_orders
                ) as first_order_date
            from intermediate.int_run__settings as run
            """
        ).fetchone()
        held = connection.execute(
            "select reason from intermediate.int_intake__files where status = 'held' order by file"
        ).fetchall()
    if row is None or row[5] is None:
        why = "".join(f"; held: {reason}" for (reason,) in held)
        raise CheckFailed(
            f"no orders were loaded from {settings.landing}{why}; `regulars doctor` says what was"
            " found"
        )
    as_of: date = row[0]
    orders, reporting_currency, first_currency, last_currency, first_order_date = row[1:]
    if orders == 0:
        raise InputError(f"as_of {as_of} is before the first order, which is of {first_order_date}")
    if reporting_currency is None:
        raise InputError(
            f"orders come in several currencies ({first_currency}, {last_currency}, ...): say which"
            " to report in, by reporting_currency in regulars.toml or REGULARS_REPORTING_CURRENCY"
        )
    return as_of


if __name__ == "__main__":
    prepare_manifest()
