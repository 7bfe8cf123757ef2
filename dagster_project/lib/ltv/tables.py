"""The tables of raw/ltv, which the models of `intermediate/predictions` read."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from dagster_project.lib.intake.ledger import private_folder, put
from dagster_project.lib.intake.sql import literal
from dagster_project.lib.settings import Settings

HORIZONS = (30, 90, 180, 365)  # days

LTV_COLUMNS: dict[str, dict[str, str]] = {
    "models": {
        **dict.fromkeys(("model_name", "cohort", "parameters", "standard_errors"), "varchar"),
        "log_likelihood": "double",
        "customers": "bigint",
        "rank_correlation": "double",
        **dict.fromkeys(("note", "refusal_reason"), "varchar"),
        **dict.fromkeys(("has_converged", "is_boundary", "is_chosen"), "boolean"),
        "cut_off_date": "date",
        "fingerprint": "varchar",
    },
    "gains": {
        **dict.fromkeys(("challenger", "incumbent"), "varchar"),
        **dict.fromkeys(("gain", "standard_error"), "double"),
        "cut_off_date": "date",
        "fingerprint": "varchar",
    },
    "backtests": {
        **dict.fromkeys(("model_name", "frequency_bucket"), "varchar"),
        "horizon_days": "integer",
        "customers": "bigint",
        **dict.fromkeys(
            (
                *("predicted", "actual", "log_score", "bias", "mean_absolute_error"),
                *("rank_correlation", "pit_share"),
            ),
            "double",
        ),
        "cut_off_date": "date",
        "fingerprint": "varchar",
    },
    "purchases": {
        "run_id": "varchar",
        **dict.fromkeys(("frequency", "recency_days", "age_days"), "bigint"),
        "p_alive": "double",
        **{
            f"{figure}_{days}_days": "double"
            for days in HORIZONS
            for figure in (
                "probability_of_purchase",
                "expected_purchases",
                "discounted_purchases",
            )
        },
    },
    "values": {
        "run_id": "varchar",
        "valued_repeats": "bigint",
        **dict.fromkeys(("p", "q", "gamma", "largest_repeat_sales"), "double"),
    },
    "totals": {
        "run_id": "varchar",
        "cohort_month": "date",
        "acquisition_channel": "varchar",
        "until_date": "date",
        **dict.fromkeys(
            (
                *("expected_purchases", "expected_purchases_lower", "expected_purchases_upper"),
                *("expected_sales", "expected_sales_lower", "expected_sales_upper"),
            ),
            "double",
        ),
    },
    "value_auc": {
        "run_id": "varchar",
        "month": "date",
        **dict.fromkeys(("value_auc", "value_auc_lower", "value_auc_upper"), "double"),
    },
}


def columns(name: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows of a table as its columns."""
    rows = list(rows)
    return {column: [row[column] for row in rows] for column in LTV_COLUMNS[name]}


def write(settings: Settings, name: str, columns: Mapping[str, Any]) -> int:
    """Writes a table of raw/ltv anew from arrays of equal length; nan counts as empty."""
    path = settings.raw_dir / "ltv" / name / "fitted.parquet"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    private_folder(path.parent)
    typed = ", ".join(
        f"cast({column} as {kind}) as {column}" for column, kind in LTV_COLUMNS[name].items()
    )
    arrays = {column: pa.array(values, from_pandas=True) for column, values in columns.items()}
    with duckdb.connect() as connection:
        connection.register("arrays", pa.table(arrays))
        ((count,),) = connection.execute(
            f"copy (select {typed} from arrays) to {literal(temporary)} (format parquet)"
        ).fetchall()
    put(temporary, path)
    return int(count)


def read(settings: Settings, name: str) -> list[dict[str, Any]]:
    """The rows that the fit before has left; none where its columns were others."""
    path = settings.raw_dir / "ltv" / name / "fitted.parquet"
    if not path.is_file():
        return []
    columns = list(LTV_COLUMNS[name])
    with duckdb.connect() as connection:
        found = connection.execute(f"describe from read_parquet({literal(path)})").fetchall()
        if [column for column, *_ in found] != columns:
            return []
        rows = connection.execute(f"from read_parquet({literal(path)})").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]
