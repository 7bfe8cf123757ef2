"""Great Expectations on a DuckDB connection. Its import takes seconds: do it late."""

import logging
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import duckdb
import great_expectations as gx
from duckdb_engine import ConnectionWrapper
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.expectations.registry import get_expectation_impl
from sqlalchemy.pool import StaticPool

# Counts, but no samples of values: the queries for those are cut to zero rows and cost nothing.
_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}

logging.getLogger("great_expectations").setLevel(logging.CRITICAL)


class Outcome(NamedTuple):
    """What the library says of one expectation; `error` is what it raised, if it did."""

    success: bool
    result: Mapping[str, Any]
    error: str | None


class _Session(ConnectionWrapper):
    """Without transactions: the library fetches rows after a rollback that would lose them."""

    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


class Engine:
    """Runs expectations over a DuckDB connection, which stays the caller's to close."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
        )
        context: Any = gx.get_context(mode="ephemeral", project_config=config)
        self._source = context.data_sources.add_sql(
            name="duckdb",
            connection_string="duckdb:///:memory:",
            create_temp_table=False,
            kwargs={"creator": lambda: _Session(connection), "poolclass": StaticPool},
        )

    def validate(self, name: str, relation: str, expectations: Iterable[Any]) -> dict[str, Outcome]:
        """All expectations of one relation in one validation: {check_id: outcome}."""
        suite = gx.ExpectationSuite(name=name, expectations=list(expectations))
        # A query, not a table: reflecting a table costs more than checking it.
        asset = self._source.add_query_asset(name=name, query=f"select * from {relation}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = asset.add_batch_definition_whole_table(name=name).get_batch()
            results: Iterable[Any] = batch.validate(suite, result_format=_RESULT_FORMAT).results
        return {
            item.expectation_config.meta["check_id"]: Outcome(
                bool(item.success), item.result, _error(item.exception_info or {})
            )
            for item in results
        }


def build_expectation(type_: str, check_id: str, arguments: Mapping[str, Any]) -> Any:
    """An expectation of the library; ValueError (pydantic's) where an argument is wrong."""
    return get_expectation_impl(type_)(**arguments, meta={"check_id": check_id})


def _error(info: Mapping[str, Any]) -> str | None:
    details = [info] if "raised_exception" in info else list(info.values())
    return next(
        (str(item["exception_message"]) for item in details if item["raised_exception"]), None
    )
