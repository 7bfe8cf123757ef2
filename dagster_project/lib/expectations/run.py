"""Running the suites of a layer inside DuckDB."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from dagster_project.lib.errors import BusyError
from dagster_project.lib.expectations.results import CheckResult, first_line, keep_failing_rows
from dagster_project.lib.expectations.suites import Check, Suite, load_suites
from dagster_project.lib.settings import EXPECTATIONS_DIR, Settings

if TYPE_CHECKING:
    from dagster_project.lib.expectations.engine import Engine, Outcome


def run_checks(
    settings: Settings,
    layer: str,
    run_id: str,
    tables: Collection[str] | None = None,
    directory: Path = EXPECTATIONS_DIR,
) -> list[CheckResult]:
    """Check the tables of a layer, all that have a suite or those named. Data is only read.

    What fails, raises or does not exist is a result that has not passed. Raises InputError for a
    suite that cannot be read, BusyError while the build file is open for writing.
    """
    suites = load_suites(layer, tables, directory)
    if not suites:
        return []
    from dagster_project.lib.expectations.engine import Engine

    built = {suite.table: [check.build() for check in suite.checks] for suite in suites}
    with _connect(settings, layer) as connection:
        connection.execute("set autoinstall_known_extensions = false")
        engine = Engine(connection)
        folder = settings.build_dir / "failing_rows"
        return [
            result
            for suite in suites
            for result in _check_table(
                connection, engine, suite, built[suite.table], folder, run_id
            )
        ]


def _connect(settings: Settings, layer: str) -> duckdb.DuckDBPyConnection:
    """To the raw files or the build file; where that does not exist, no table does."""
    config: dict[str, Any] = {
        "file_search_path": str(settings.raw_dir),
        "temp_directory": str(settings.build_dir / "checks.tmp"),
    }
    if layer == "raw" or not settings.build_file.exists():
        return duckdb.connect(config=config)
    try:
        return duckdb.connect(str(settings.build_file), read_only=True)
    except (duckdb.IOException, duckdb.ConnectionException) as error:
        if not any(
            reason in str(error) for reason in ("Could not set lock", "different configuration")
        ):
            raise
        raise BusyError(f"{settings.build_file} is still open for writing") from None


def _check_table(
    connection: duckdb.DuckDBPyConnection,
    engine: "Engine",
    suite: Suite,
    expectations: list[Any],
    folder: Path,
    run_id: str,
) -> list[CheckResult]:
    name = f"{suite.layer}.{suite.table}"
    for old in folder.glob(f"{name}.*.csv"):
        old.unlink()
    rows, outcomes, problem = 0, dict[str, "Outcome"](), "not evaluated"
    try:
        (rows,) = connection.execute(f"select count(*) from {suite.relation}").fetchall()[0]
        outcomes = engine.validate(name, suite.relation, expectations)
    except (duckdb.CatalogException, duckdb.IOException) as error:
        problem = f"the table does not exist: {first_line(str(error))}"
    except Exception as error:  # whatever it is, these checks have not passed
        problem = first_line(str(error)) or type(error).__name__
    results = []
    for check in suite.checks:
        passed, observed, failing = False, problem, None
        if outcome := outcomes.get(check.check_id):
            passed, observed = _verdict(check, outcome, rows)
            if not passed:
                query, values = failing_rows_query(suite.relation, check)
                path = folder / f"{check.check_id}.csv"
                failing = keep_failing_rows(connection, query, values, path)
        results.append(
            CheckResult(
                check_id=check.check_id,
                layer=suite.layer,
                table_name=suite.table,
                expectation=check.label,
                severity=check.severity,
                passed=passed,
                observed=observed,
                description=check.description,
                run_id=run_id,
                failing_rows=failing,
            )
        )
    return results


def _verdict(check: Check, outcome: "Outcome", rows: int) -> tuple[bool, str]:
    """Passed or not, and what was observed.

    What a column holds is judged only where it holds something; whether it must is for row counts
    and not-null to say.
    """
    result = outcome.result
    if outcome.error is not None:
        return False, first_line(outcome.error)
    if rows == 0 and check.type.startswith(("expect_column", "expect_compound")):
        return True, "no rows"
    if "unexpected_count" in result:
        judged = result["element_count"] - result.get("missing_count", 0)
        wrong = result["unexpected_count"] or 0
        share = f" ({100 * wrong / judged:.3g} %)" if wrong else ""
        return outcome.success, f"{wrong:,} of {judged:,} rows{share}"
    if "details" in result:
        differences = result["details"]["mismatched"].items()
        return outcome.success, "; ".join(f"{kind}: {', '.join(n)}" for kind, n in differences)
    match result.get("observed_value", "not evaluated"):
        case None:
            return True, "no values"
        case list(names):
            return outcome.success, ", ".join(names)
        case int() | float() as number:
            observed = f"{number:,}" if isinstance(number, int) else f"{number:,.12g}"
            unit = " unexpected rows" if check.type == "unexpected_rows_expectation" else ""
            return outcome.success, observed + unit
        case value:
            return outcome.success, str(value)


def failing_rows_query(relation: str, check: Check) -> tuple[str, list[Any]]:
    """SQL and values for the rows that do not meet a check; empty where it is not about rows."""
    kwargs = check.kwargs
    key = ", ".join('"' + column.replace('"', '""') + '"' for column in check.columns)
    match check.type:
        case "unexpected_rows_expectation":
            query = str(kwargs["unexpected_rows_query"]).rstrip("; \n")
            return query.format(batch=relation), []
        case "expect_column_values_to_not_be_null":
            return f"from {relation} where {key} is null", []
        case "expect_column_values_to_be_in_set":
            marks = ", ".join("?" * len(kwargs["value_set"]))
            return f"from {relation} where {key} not in ({marks})", list(kwargs["value_set"])
        case "expect_column_values_to_be_between":
            lower = ">" if kwargs.get("strict_min") else ">="
            upper = "<" if kwargs.get("strict_max") else "<="
            bounds = {f"{key} {lower} ?": "min_value", f"{key} {upper} ?": "max_value"}
            given = {
                term: kwargs[name] for term, name in bounds.items() if kwargs.get(name) is not None
            }
            return f"from {relation} where not ({' and '.join(given)})", list(given.values())
        case "expect_column_values_to_be_unique" | "expect_compound_columns_to_be_unique":
            repeated = f"select {key} from {relation} group by all having count(*) > 1"
            return f"from {relation} where ({key}) in ({repeated}) order by {key}", []
    return "", []
