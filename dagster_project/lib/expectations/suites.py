"""Reading expectations/<layer>/<table>.yml; expectations/README.md says how they are written."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dagster_project.lib.errors import InputError
from dagster_project.lib.settings import EXPECTATIONS_DIR
from dagster_project.lib.yaml_loader import SafeLoader

LAYERS = ("raw", "staging", "intermediate", "marts")

# Each tried on planted faults. The library's regular expressions do not work on DuckDB and its
# quantiles end the run: both are written as an unexpected_rows_expectation.
Type = Literal[
    "expect_table_row_count_to_be_between",
    "expect_table_columns_to_match_set",
    "expect_column_values_to_not_be_null",
    "expect_column_values_to_be_unique",
    "expect_compound_columns_to_be_unique",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_be_between",
    "expect_column_min_to_be_between",
    "expect_column_max_to_be_between",
    "expect_column_sum_to_be_between",
    "expect_column_mean_to_be_between",
    "expect_column_stdev_to_be_between",
    "expect_column_unique_value_count_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_proportion_of_non_null_values_to_be_between",
    "unexpected_rows_expectation",
]
_SUBJECTS = ("column", "column_list", "column_set", "value_set", "unexpected_rows_query")
_KWARGS = {
    *_SUBJECTS,
    "exact_match",
    "mostly",
    "min_value",
    "max_value",
    "strict_min",
    "strict_max",
}
_CHECK_ID = re.compile(r"[A-Za-z0-9_.+-]{1,200}")  # it names a file


class Check(BaseModel):
    """One expectation, with how much it matters and why its bound is what it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    place: str
    type: Type
    kwargs: dict[str, Any] = {}
    severity: Literal["critical", "warning"]
    description: str = Field(min_length=1)
    id: str = ""

    @property
    def columns(self) -> list[str]:
        """The column or columns that it is about; none for a table's and for SQL."""
        given = self.kwargs.get("column", self.kwargs.get("column_list", []))
        return [str(column) for column in (given if isinstance(given, list) else [given])]

    @property
    def check_id(self) -> str:
        """<layer>.<table>.<id>, or .<type>.<columns> where no id is given."""
        own = [self.id] if self.id else [self.type, "+".join(self.columns)]
        return ".".join(filter(None, [self.table, *own]))

    @property
    def label(self) -> str:
        """The expectation as a person reads it: type(column, bounds); of SQL its id."""
        if self.id and self.type == "unexpected_rows_expectation":
            return self.id
        arguments = [
            " ".join(str(value).split()) if name in _SUBJECTS else f"{name} {value}"
            for name, value in self.kwargs.items()
        ]
        return f"{self.type}({', '.join(arguments)})"

    @model_validator(mode="after")
    def _can_fail_and_be_kept(self) -> Self:
        if unknown := self.kwargs.keys() - _KWARGS:
            raise ValueError(f"{self.type} does not take {', '.join(sorted(unknown))}")
        bounds = [self.kwargs.get("min_value"), self.kwargs.get("max_value")]
        if self.type.endswith("_between") and bounds == [None, None]:
            raise ValueError(f"{self.type} without min_value or max_value would always pass")
        if "{batch}" not in str(self.kwargs.get("unexpected_rows_query", "{batch}")):
            raise ValueError("unexpected_rows_query must read from {batch}")
        if not _CHECK_ID.fullmatch(self.check_id):
            raise ValueError(
                f"{self.check_id!r} cannot name a file; give it a short `id` of its own"
            )
        return self

    def build(self) -> Any:
        """The library's own object; InputError where it does not take these kwargs."""
        from dagster_project.lib.expectations.engine import build_expectation

        arguments = {**self.kwargs, "severity": self.severity, "description": self.description}
        try:
            return build_expectation(self.type, self.check_id, arguments)
        except ValueError as error:
            raise InputError(f"{self.place}: {self.type}: {_problems(error)}") from None


@dataclass(frozen=True)
class Suite:
    """The checks of one table; `relation` is what stands after `from` in SQL."""

    layer: str
    table: str
    relation: str
    checks: tuple[Check, ...]


def load_suites(
    layer: str, tables: Collection[str] | None = None, directory: Path = EXPECTATIONS_DIR
) -> list[Suite]:
    """The suites of a layer, of all its tables or of those named; quick, for definitions need them.

    Raises InputError that names file and line for what cannot be checked as it is written. What
    only the library knows, the arguments of a type, is looked at when a check is built.
    """
    if layer not in LAYERS:
        raise InputError(f"unknown layer {layer!r}; layers are {', '.join(LAYERS)}")
    suites: dict[str, Suite] = {}
    for path in sorted((directory / layer).glob("*.y*ml")):
        suite = _read(path, layer)
        if suite.table in suites:
            raise InputError(f"{path}:1: {suite.table} has its expectations in another file")
        suites[suite.table] = suite
    if missing := sorted(set(tables or ()) - suites.keys()):
        raise InputError(f"{directory / layer}: no expectations for {', '.join(missing)}")
    return [suite for suite in suites.values() if tables is None or suite.table in tables]


def _read(path: Path, layer: str) -> Suite:
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.load(text, SafeLoader)
        root: Any = yaml.compose(text, SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(f"{path}:{mark.line + 1 if mark else 1}: this is not YAML") from None
    if not isinstance(content, dict) or not isinstance(content.get("expectations"), list):
        raise InputError(f"{path}:1: a list `expectations:` is missing")
    allowed = {"table", "expectations"} | ({"query"} if layer == "raw" else set())
    if unknown := sorted(map(str, content.keys() - allowed)):
        raise InputError(f"{path}:1: a suite of layer {layer} has no {', '.join(unknown)}")
    table = str(content.get("table", path.stem))
    checks: dict[str, Check] = {}
    nodes: list[Any] = next(value.value for key, value in root.value if key.value == "expectations")
    for entry, node in zip(content["expectations"], nodes, strict=True):
        place = f"{path}:{node.start_mark.line + 1}"
        if not isinstance(entry, dict):
            raise InputError(f"{place}: an expectation has type, kwargs, severity and description")
        try:
            check = Check(**{**entry, "table": f"{layer}.{table}", "place": place})
        except ValidationError as error:
            raise InputError(f"{place}: {_problems(error)}") from None
        if check.check_id in checks:
            raise InputError(f"{place}: a second {check.check_id}; give it an `id` of its own")
        checks[check.check_id] = check
    return Suite(layer, table, _relation(path, layer, table, content), tuple(checks.values()))


def _relation(path: Path, layer: str, table: str, content: Mapping[str, Any]) -> str:
    if not re.fullmatch(r"\w+", table):
        raise InputError(f"{path}:1: {table!r} is not the name of a table")
    if layer != "raw":
        return f'"{layer}"."{table}"'
    connector, _, entity = table.partition("__")
    if not (entity or "query" in content):
        raise InputError(
            f"{path}:1: name it <connector>__<entity>, or say by `query` what it reads"
        )
    return str(content.get("query", f"read_parquet('{connector}/{entity}/*.parquet')"))


def _problems(error: Any) -> str:
    """What pydantic found, in one line; it repeats a wrong value for each type it tried."""
    found = {".".join(map(str, item["loc"])): item["msg"] for item in error.errors()}
    return "; ".join(f"{where}: {what}" if where else what for where, what in found.items())
