"""The `regulars` command: a thin layer over the library and the Dagster job.

Exit codes: 0 done; 1 a check or the run failed, the last published version stays; 2 the files,
options or settings are not right; 3 another run holds the warehouse.
"""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from dagster_project.lib.dates import dates_between, yesterday
from dagster_project.lib.engine import Engine
from dagster_project.lib.errors import CheckFailed, InputError, RegularsError
from dagster_project.lib.progress import LOGGER, say
from dagster_project.lib.settings import (
    WAREHOUSE_FILE,
    Settings,
    load_settings,
    parse_date,
    read_date,
)

if TYPE_CHECKING:
    from dagster_project.lib.activation.export import Exported
    from dagster_project.lib.intake.doctor import EntityFindings, FileFinding

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="A customer-lifecycle warehouse for online shops: files in, checked marts out.",
)
err = Console(stderr=True, highlight=False, soft_wrap=True)  # one line each, however long
out = Console(highlight=False, soft_wrap=True)

Landing = Annotated[
    Path | None, typer.Option(help="Folder with the shop's files.", show_default="landing")
]
Warehouse = Annotated[
    Path | None,
    # Readers see what is published in it, but not what else is there.
    typer.Option(help="Folder of the warehouse.", show_default="warehouse", readable=False),
]
Connector = Annotated[
    str | None,
    typer.Option(help="Connectors, comma-separated.", show_default="the folders in landing"),
]


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


OLD_AFTER_DAYS = 7  # a shop that runs every day exports what is a day old


class Step(StrEnum):
    day = "day"
    week = "week"
    month = "month"


class ExportFormat(StrEnum):
    csv = "csv"
    parquet = "parquet"


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except RegularsError as error:
        err.print(f"[red]error:[/red] {_escape(str(error))}")
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        err.print("stopped; the version published before stays")
        raise typer.Exit(130) from None


@contextmanager
def _alerts(settings: Settings) -> Iterator[None]:
    try:
        yield
    except RegularsError as error:
        from dagster_project.lib.alerts import alert

        alert(settings, str(error), look_at=str(_log(settings)))
        raise


def _log(settings: Settings) -> Path:
    return settings.build_dir / "run.log"


def _escape(text: str) -> str:
    return text.replace("[", r"\[")


@app.command(
    epilog="Example: [bold]regulars run --connector olist --landing data --warehouse shop[/bold]"
)
def run(
    connector: Connector = None,
    landing: Landing = None,
    warehouse: Warehouse = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Date the marts speak of, or yesterday.", show_default="the last date in the data"
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for another run to end, for an hour at most.")
    ] = False,
) -> None:
    """Load what has landed, build, check and publish."""
    with _plain_errors():
        settings = load_settings(connectors=connector, landing=landing, warehouse=warehouse)
        if as_of == "yesterday":
            day: date | None = yesterday(settings.time_zone)
        else:
            day = parse_date("as_of", as_of or "")
        _listen()
        with _alerts(settings):
            _check_landing(settings)
            _refresh(settings, day, wait=wait)
        _print_summary(settings)


@app.command(epilog="Example: [bold]regulars backfill 2025-01-31 2025-12-31 --every month[/bold]")
def backfill(
    first: Annotated[str, typer.Argument(help="The first date.", metavar="FROM")],
    last: Annotated[str, typer.Argument(help="The last date.", metavar="TO")],
    every: Annotated[Step, typer.Option(help="How far the dates lie apart.")] = Step.month,
    connector: Connector = None,
    landing: Landing = None,
    warehouse: Warehouse = None,
) -> None:
    """Build what the marts said on past dates, beside the version that readers see."""
    with _plain_errors():
        settings = load_settings(connectors=connector, landing=landing, warehouse=warehouse)
        days = dates_between(read_date("FROM", first), read_date("TO", last), every.value)
        _listen()
        with _alerts(settings):
            _check_landing(settings)
            for day in days:
                say(f"as of {day}")
                _refresh(settings, day, make_current=False, wait=True)
                out.print(f"{day}  {_shown(settings.published_link(day) / WAREHOUSE_FILE)}")
        out.print("Exports wait for the next `regulars run`; readers see what they saw")


@app.command(epilog="Example: [bold]regulars demo --customers 20000 --seed 7[/bold]")
def demo(
    landing: Landing = None,
    customers: Annotated[int, typer.Option(help="Number of customers, 500 to 10 million.")] = 5000,
    days: Annotated[int, typer.Option(help="Days of history.")] = 1095,
    seed: Annotated[int, typer.Option(help="Random seed: the same one writes the same shop.")] = 1,
) -> None:
    """Write a synthetic shop into the landing folder, with the truth about it in _truth."""
    from dagster_project.lib.demo.shop import write_shop

    with _plain_errors():
        settings = load_settings(landing=landing)
        _listen()
        shop = write_shop(
            settings.landing,
            customers=customers,
            days=days,
            seed=seed,
            progress=lambda done, total: say(f"simulated {done:,} of {total:,} customers"),
        )
        out.print(
            f"wrote a synthetic shop of {shop.customers:,} customers and {shop.orders:,} orders to"
            f" {_shown(settings.landing / 'demo')} ({shop.size_bytes / 1e6:,.0f} MB)"
        )


@app.command(epilog="Example: [bold]regulars doctor --landing data --connector files[/bold]")
def doctor(connector: Connector = None, landing: Landing = None) -> None:
    """Say what a landing folder holds, before anything is loaded."""
    from dagster_project.lib.intake.doctor import examine

    with _plain_errors():
        settings = load_settings(connectors=connector, landing=landing)
        _print_findings(examine(settings))


@app.command(
    epilog='Example: [bold]regulars query "select * from fct_repeat_revenue_monthly"[/bold]'
)
def query(
    sql: Annotated[str, typer.Argument(help="A question in SQL; tables are those of the marts.")],
    warehouse: Warehouse = None,
    format: Annotated[Format, typer.Option(help="How to write the answer.")] = Format.table,
    output: Annotated[
        Path | None, typer.Option(help="File to write to.", show_default="the terminal")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="Date of a backfill.", show_default="the version that readers see"),
    ] = None,
) -> None:
    """Ask the published warehouse."""
    from dagster_project.lib.publish.query import run_query, write_result

    with _plain_errors():
        day = parse_date("--as-of", as_of or "")
        answer = run_query(load_settings(warehouse=warehouse), sql, day)
        write_result(answer, format.value, output or sys.stdout)


@app.command(epilog="Example: [bold]regulars fit --warehouse shop --engine spark[/bold]")
def fit(
    warehouse: Warehouse = None,
    engine: Annotated[Engine, typer.Option(help="What has built the tables.")] = Engine.duckdb,
) -> None:
    """Fit the models of lifetime value to a build; run does so by itself."""
    from dagster_project.lib.lock import warehouse_lock
    from dagster_project.lib.ltv.predict import predict

    with _plain_errors():
        settings = load_settings(warehouse=warehouse)
        with warehouse_lock(settings, "fit"):
            for name, rows in predict(settings, engine).items():
                out.print(f"{name:16}{rows:>12,} rows")


@app.command(epilog="Example: [bold]regulars export at_risk hero --format parquet[/bold]")
def export(
    audiences: Annotated[
        list[str] | None, typer.Argument(help="Which ones.", show_default="all of them")
    ] = None,
    warehouse: Warehouse = None,
    format: Annotated[
        ExportFormat, typer.Option(help="csv for people, parquet for machines.")
    ] = ExportFormat.csv,
    output: Annotated[
        Path | None,
        typer.Option(help="File, for one audience.", show_default="exports in the warehouse"),
    ] = None,
    on: Annotated[
        str | None, typer.Option(help="Day on which they will be written to.", show_default="today")
    ] = None,
) -> None:
    """Write audiences to files, with names and addresses, and record who was contacted."""
    from dagster_project.lib.activation.export import Exporter
    from dagster_project.lib.lock import warehouse_lock

    with _plain_errors():
        settings = load_settings(warehouse=warehouse)
        day = parse_date("--on", on or "")
        if output and len(audiences or []) != 1:
            raise InputError("--output is for one audience; name it")
        if output and output.suffix in (".csv", ".parquet") and output.suffix[1:] != format.value:
            raise InputError(f"--output ends in {output.suffix}; say --format {output.suffix[1:]}")
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("audience")
        for heading in ("to write to", "held out", "left out"):
            table.add_column(heading, justify="right")
        table.add_column("")
        with warehouse_lock(settings, "export"), Exporter(settings, day) as exporter:
            for audience in dict.fromkeys(audiences or exporter.audiences):
                done = exporter.export(audience, format.value, output)
                counts = (done.customers, done.held_out, done.left_out)
                table.add_row(audience, *(f"{count:,}" for count in counts), _why_left_out(done))
        out.print(
            f"To write to on {exporter.contact_date:%d %B %Y},"
            f" by what was known on {exporter.as_of:%d %B %Y}\n"
        )
        out.print(table, soft_wrap=False)
        if (age := (exporter.contact_date - exporter.as_of).days) > OLD_AFTER_DAYS:
            out.print(
                f"\n[yellow]warning:[/yellow] {age} days lie between: who has bought since, or does"
                " not want to be written to any more, is not known"
            )
        where = output or done.file.parent
        out.print(f"\nin {_shown(where)}: personal data, readable by its owner only")


def _why_left_out(done: "Exported") -> str:
    if not done.left_out:
        return "as exported before" if done.is_repeated else ""
    if done.is_repeated:
        return "as exported before, less who may not be written to any more"
    return "contacted lately"


@app.command(epilog="Example: [bold]regulars report --warehouse shop[/bold]")
def report(
    warehouse: Warehouse = None,
    output: Annotated[
        Path | None,
        typer.Option(help="File to write to.", show_default="report.html in the warehouse"),
    ] = None,
) -> None:
    """Write the report on the published version: one page for a browser; run does so by itself."""
    with _plain_errors():
        _write_report(load_settings(warehouse=warehouse), output)


@app.command(epilog="Example: [bold]regulars status --max-age 26[/bold]")
def status(
    warehouse: Warehouse = None,
    max_age: Annotated[
        float | None, typer.Option(help="Hours; an older version fails.", show_default="any age")
    ] = None,
) -> None:
    """Say which version readers see, and whether it is too old."""
    from dagster_project.lib.publish.generations import generations

    with _plain_errors():
        settings = load_settings(warehouse=warehouse)
        current = next((item for item in generations(settings) if item.is_current), None)
        if current is None:
            raise CheckFailed(f"{settings.warehouse}: nothing is published yet")
        hours = (datetime.now(UTC) - current.published_at).total_seconds() / 3600
        shown = f"{current.id}, as of {current.as_of}, published {hours:,.1f} hours ago"
        if max_age is not None and hours > max_age:
            raise CheckFailed(f"the version that readers see is too old: {shown}")
        out.print(shown)


@app.command(epilog="Example: [bold]regulars rollback --warehouse shop[/bold]")
def rollback(
    warehouse: Warehouse = None,
    to: Annotated[
        str | None, typer.Option(help="Version to go to.", show_default="the one before")
    ] = None,
    list_versions: Annotated[bool, typer.Option("--list", help="Only list what is kept.")] = False,
) -> None:
    """Make an earlier published version current again."""
    from dagster_project.lib.lock import warehouse_lock
    from dagster_project.lib.publish import generations

    with _plain_errors():
        settings = load_settings(warehouse=warehouse)
        if not list_versions:
            with warehouse_lock(settings, "rollback"):
                generations.rollback(settings, to)
                _renew_report(settings)
                if settings.postgres_url:
                    _publish_to_postgres(settings)
        table = Table("version", "as of", "published at (UTC)", "")
        for version in generations.generations(settings):
            table.add_row(
                version.id,
                version.as_of.isoformat(),
                f"{version.published_at:%Y-%m-%d %H:%M:%S}",
                "current" if version.is_current else "backfill" if version.is_dated else "",
            )
        out.print(table, soft_wrap=False)


@app.command(epilog="Example: [bold]regulars postgres --warehouse shop[/bold]")
def postgres(warehouse: Warehouse = None) -> None:
    """Put the published version into PostgreSQL; run does so by itself where a URL is set."""
    from dagster_project.lib.lock import warehouse_lock

    with _plain_errors():
        settings = load_settings(warehouse=warehouse)
        _listen()
        with warehouse_lock(settings, "postgres"):
            _publish_to_postgres(settings)


def _publish_to_postgres(settings: Settings) -> None:
    from dagster_project.lib.publish.postgres import publish_to_postgres

    publication = publish_to_postgres(settings, say)
    for warning in publication.warnings:
        err.print(f"[yellow]warning:[/yellow] {_escape(warning)}")
    out.print(
        f"PostgreSQL has version {publication.generation}: {len(publication.rows)} marts,"
        f" {sum(publication.rows.values()):,} rows"
    )


def _check_landing(settings: Settings) -> None:
    """What would end the run at its first step is said at once."""
    from dagster_project.lib.intake.connectors import load_connectors
    from dagster_project.lib.intake.landing import find_landed

    find_landed(settings, load_connectors())


def _write_report(settings: Settings, output: Path | None = None) -> None:
    from dagster_project.lib.report.write import write_report

    out.print(f"Report: {_shown(write_report(settings, output))}")


def _renew_report(settings: Settings) -> None:
    """A version without its report is better than none."""
    try:
        _write_report(settings)
    except RegularsError as error:
        _warn_of_report(error)


def _warn_of_report(error: RegularsError) -> None:
    err.print(
        f"[yellow]warning:[/yellow] published, but without a new report: {_escape(str(error))}"
    )


def _listen() -> None:
    handler = RichHandler(
        console=Console(file=sys.stderr, highlight=False),
        show_path=False,
        show_level=False,
        log_time_format="%H:%M:%S",
        omit_repeated_times=False,
    )
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)


def _refresh(
    settings: Settings, as_of: date | None, *, make_current: bool = True, wait: bool = False
) -> None:
    """Runs Dagster's job in this process. What Dagster and dbt print goes to build/run.log."""
    from dagster_project.lib.lock import is_held

    for name, value in settings.environment().items():
        os.environ[name] = value
    settings.build_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = _log(settings)
    if not is_held(settings):  # else it is the log of who holds it
        log.unlink(missing_ok=True)
    log.touch(mode=0o600)
    without_report: RegularsError | None = None
    with log.open("a") as file, redirect_stdout(file), redirect_stderr(file):
        import dagster as dg

        from dagster_project.definitions import defs
        from dagster_project.defs.jobs import BY_COMMAND_LINE, run_config

        run_id = str(uuid4())
        config: dict[str, Any] = {
            **run_config(as_of, make_current=make_current),
            **({} if wait else {"resources": {"warehouse": {"config": {"wait_seconds": 0}}}}),
            "loggers": {"console": {"config": {"log_level": "INFO"}}},
        }
        instance = (
            dg.DagsterInstance.get()
            if os.environ.get("DAGSTER_HOME")
            else dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}})
        )
        with instance:
            try:
                defs.resolve_job_def("daily_refresh").execute_in_process(
                    config, instance=instance, run_id=run_id, tags=BY_COMMAND_LINE
                )
            except Exception as error:
                failed, cause = _failed_steps(instance, run_id), _cause(error, log)
                if failed == ["published__postgres"]:
                    _renew_report(settings)  # which was to come after it
                if failed != ["published__report"]:
                    raise cause from error
                without_report = cause
    if without_report:
        _warn_of_report(without_report)


def _failed_steps(instance: Any, run_id: str) -> list[str]:
    from dagster import DagsterEventType

    logs = instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE)
    return [entry.dagster_event.step_key for entry in logs]


def _cause(error: BaseException, log: Path) -> RegularsError:
    """The error meant for a person behind the one that Dagster raised."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        if isinstance(cause, RegularsError):
            return cause
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return RegularsError(f"{type(error).__name__}: {str(error).splitlines()[0]}; see {log}")


def _print_summary(settings: Settings) -> None:
    from dagster_project.lib.summary import summarise

    shop = summarise(settings)
    passed = shop.checks - len(shop.warnings)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    table.add_row("Customers", f"{shop.customers:,} with {shop.orders:,} valid orders")
    table.add_row("Net sales", f"{shop.net_sales:,.2f} {shop.currency}{_unnamed(shop.currency)}")
    table.add_row("Came back", _came_back(shop.repeat_customers, shop.customers))
    if shop.repurchase_rate_90_days is not None:
        table.add_row(
            "", f"{shop.repurchase_rate_90_days:.1%} within 90 days, of those who have had 90 days"
        )
    if shop.ltv_90_days is not None:
        table.add_row(
            "LTV at 90 days", f"{shop.ltv_90_days:,.2f} {shop.currency} net sales per customer"
        )
    table.add_row(
        "Loaded",
        f"{shop.records - shop.rejected:,} of {shop.records:,} records from {shop.files} files;"
        f" {shop.rejected:,} rejected, {len(shop.held)} files held",
    )
    if shop.missing:
        table.add_row("Not available", f"what needs {', '.join(shop.missing)}: nothing delivered")
    table.add_row("Checks", f"{passed} of {shop.checks} held")
    for warning in shop.warnings:
        what = f"{warning.table_name}: {warning.observed}. {warning.description}"
        table.add_row("", f"[yellow]warning:[/yellow] {_escape(what)}")
    if shop.warnings:
        table.add_row("", f"what they found is in {_shown(settings.build_dir / 'failing_rows')}")
    table.add_row("Books", f"{shop.balanced} of {shop.reconciled} sums balance to the cent")
    table.add_row("Warehouse", _shown(settings.published_file))
    if settings.report_file.exists():
        table.add_row("Report", _shown(settings.report_file))
    out.print(f"\n[bold]Your shop as of {shop.as_of:%d %B %Y}[/bold]")
    out.print(table, soft_wrap=False)
    for held in shop.held:
        out.print(f"[yellow]held:[/yellow] {_escape(held.reason)}")
    out.print(
        '\nNext: regulars query "from fct_repeat_revenue_monthly order by month desc limit 12"'
    )
    if shop.rejected:
        out.print('      regulars query "from fct_rejected_rows"')


def _print_findings(findings: "Sequence[EntityFindings]") -> None:
    from dagster_project.lib.contract import contract

    for entity in findings:
        if not entity.files:
            continue
        title = f"{entity.connector}: {entity.entity}" if entity.entity else "belongs to no table"
        out.print(f"[bold]{_escape(title)}[/bold]")
        for file in entity.files:
            _print_file(file)
    loaded = {(found.connector or "", found.entity or "") for found in findings if found.loaded}
    entities = contract()
    given = [entity for entity in entities if not entity.fed_by.isdisjoint(loaded)]
    out.print("\n[bold]This gives[/bold]")
    for part in given:
        out.print(f"  {part.name}: {part.enables}")
    missing = ", ".join(part.name for part in entities if part not in given)
    out.print(f"  not there: {missing}; docs/contract.md says what each adds", style="dim")
    if "orders" not in {part.name for part in given}:
        raise CheckFailed("no orders would be loaded, so `regulars run` would fail")


def _print_file(file: "FileFinding") -> None:
    name = _escape(file.file)
    if file.status == "loaded":
        rejected = f", {file.rejected:,} rejected" if file.rejected else ""
        out.print(f"  {name}: {file.records:,} records{rejected}; {len(file.matched)} columns")
    elif file.status == "duplicate":
        out.print(f"  {name}: the same content as {_escape(file.duplicate_of or '')}")
    else:
        reason = _escape((file.reason or "").removeprefix(f"{file.file} "))
        out.print(f"  {name}: [yellow]{file.status}:[/yellow] {reason}")
    if file.missing and file.status == "loaded":
        out.print(f"    without {_escape(', '.join(file.missing))}", style="dim")
    if file.ignored:
        out.print(f"    not read: {_escape(', '.join(file.ignored))}", style="dim")
    for problem in file.problems:
        place = f"line {problem.example_line}" if problem.example_line else ""
        row = place or f"record {problem.example_row}"
        column = f"{problem.column}: " if problem.column else ""
        out.print(f"    {problem.rows:,} rejected, as {row}: {_escape(column + problem.reason)}")


def _shown(path: Path) -> str:
    """The path from here, where it lies below the working folder."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _unnamed(currency: str) -> str:
    return " (no currency is named; set reporting_currency)" if currency == "XXX" else ""


def _came_back(repeat_customers: int, customers: int) -> str:
    share = f"{repeat_customers / customers:.1%}" if customers else "none"
    return f"{share} have bought on two or more days ({repeat_customers:,})"


if __name__ == "__main__":
    app()
