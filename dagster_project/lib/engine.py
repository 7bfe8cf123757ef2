"""The engines on which the models build."""

from enum import StrEnum


class Engine(StrEnum):
    """A DuckDB file, or Spark's folder of Parquet tables."""

    duckdb = "duckdb"
    spark = "spark"
