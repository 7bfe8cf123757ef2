"""Typing rules, as SQL: a value that does not fit is rejected, never cast to something near."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dagster_project.lib.intake.connectors import Column
from dagster_project.lib.intake.sql import literal, name

BLANKS = r"E' \t\r\n\x0B\f'"
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)"
FRACTION = r"(\.\d{1,6}0{0,3})?"  # the engine would cut what is finer than a microsecond
CLOCK = rf"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d{FRACTION})?"
STAMP = rf"\d{{4}}-\d{{2}}-\d{{2}}([ T]{CLOCK})?"
ZONED = (
    r"\d{4}-\d{2}-\d{2}[ T]([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
    rf"{FRACTION} ?(Z|UTC|[+-]\d{{2}}(:?\d{{2}})?)"
)
DAY = r"\d{4}-\d{2}-\d{2}([ T]00:00(:00(\.0+)?)?)?"
TRUE, FALSE = "('true', 't', 'yes', 'y', '1')", "('false', 'f', 'no', 'n', '0')"
SEPARATOR = "chr(31)"  # between column and reason
EARLIEST, LATEST = 1900, 2200
# Units since 1970: their name, microseconds in one, digits at most, so that nothing overflows.
EPOCHS: dict[str | tuple[str, ...], tuple[str, int, int]] = {
    "epoch_s": ("seconds", 1_000_000, 11),
    "epoch_ms": ("milliseconds", 1_000, 14),
    "epoch_us": ("microseconds", 1, 17),
}
TEXT_LIMIT = 1 << 20  # bytes


@dataclass(frozen=True)
class Context:
    """What typing depends on beside the file and its description."""

    time_zone: str
    arrival: datetime  # UTC


@dataclass(frozen=True)
class Field:
    """A declared column and where the file has it: an SQL expression and its DuckDB type."""

    column: Column
    sql: str
    type: str = "VARCHAR"


def text_of(field: Field) -> str:
    """The value as trimmed text, null where empty."""
    text = field.sql
    if field.type == "DOUBLE" and re.match("bigint|decimal", field.column.data_type):
        text = f"format('{{:.12f}}', {text})"  # never an exponent
    elif field.type == "BLOB":
        text = f"decode({text})"
    elif re.match(r"STRUCT|MAP|UNION|.*\]$", field.type):
        text = f"to_json({text})"
    if field.column.pattern:
        text = f"regexp_extract({text}::varchar, {literal(field.column.pattern)}, 1)"
    return f"nullif(trim({text}::varchar, {BLANKS}), '')"


def first_filled(fields: Sequence[Field]) -> Field:
    """One column found in several places of a file: the first that is not empty."""
    if len(fields) == 1:
        return fields[0]
    texts = ", ".join(map(text_of, fields))
    extracted = replace(fields[0].column, pattern=None)
    return Field(extracted, f"coalesce({texts})")


def value_of(field: Field, text: str, context: Context) -> str:
    """The typed value, null where the text does not fit the column's type."""
    column, wanted, source = field.column, field.column.data_type, field.type
    time_zone = column.time_zone or context.time_zone
    if wanted == "varchar":
        if column.currency:
            return f"case when regexp_full_match({text}, '[A-Za-z]{{3}}') then upper({text}) end"
        lowered = column.one_of and all(option.islower() for option in column.one_of)
        return f"lower({text})" if lowered else text
    if wanted == "boolean":
        word = f"lower({text})"
        return f"case when {word} in {TRUE} then true when {word} in {FALSE} then false end"
    if wanted == "bigint":
        if source in WHOLE:
            return f"{field.sql}::bigint"
        fits = f"regexp_full_match({text}, '[+-]?\\d+(\\.0+)?')"
        return f"case when {fits} then try_cast({text} as bigint) end"
    if wanted == "double":
        fits = f"regexp_full_match({text}, '{NUMBER}([eE][+-]?\\d+)?')"
        return f"case when {fits} and isfinite(try_cast({text} as double)) then {text}::double end"
    if wanted == "date":
        if source == "DATE":
            return field.sql
        if column.date_format:
            return f"({_parsed(text, column.date_formats)})::date"
        return (
            f"case when regexp_full_match({text}, '{DAY}') then try_cast({text}[:10] as date) end"
        )
    if wanted == "timestamp":
        if column.date_format in EPOCHS:
            _, factor, digits = EPOCHS[column.date_format]
            fits = f"regexp_full_match({text}, '-?\\d{{1,{digits}}}')"
            return f"case when {fits} then make_timestamp({text}::bigint * {factor}) end"
        if source == "TIMESTAMP WITH TIME ZONE":
            return f"{field.sql} at time zone 'UTC'"
        local = (
            f"case when regexp_full_match({text}, '{STAMP}') then try_cast({text} as timestamp) end"
        )
        is_time = source.startswith("TIMESTAMP") or source == "DATE"
        if column.date_format:
            local = _parsed(text, column.date_formats)
        elif is_time:
            local = f"{field.sql}::timestamp"
            if source == "TIMESTAMP_NS":
                local = f"case when {local}::timestamp_ns = {field.sql} then {local} end"
        if time_zone != "UTC":
            local = f"({local}) at time zone {literal(time_zone)} at time zone 'UTC'"
        if column.date_format or is_time:
            return local
        offset = f"regexp_replace({text}, ' ([+-])', '\\1')"  # the engine knows no blank before it
        zoned = f"try_cast({offset} as timestamptz) at time zone 'UTC'"
        return f"case when regexp_full_match({text}, '{ZONED}') then {zoned} else {local} end"
    exact = f"try_cast({text} as decimal(38,18))"
    rounded = f"try_cast({text} as {wanted})"
    fits = (
        f"(length(split_part({text}, '.', 2)) <= {column.scale}"
        f" or abs({exact} - {rounded}::decimal(38,18)) < 0.000000001)"
    )
    return f"case when regexp_full_match({text}, '{NUMBER}') and {fits} then {rounded} end"


def problem_of(field: Field, text: str, value: str, context: Context) -> str:
    """`column` SEPARATOR `reason` of what is wrong with the value, null where nothing is."""
    column = field.column
    shown = "''"
    if not column.personal:  # nor an address that stands in the wrong column
        quoted = f"', not ''' || {_printable(text)} || ''''"
        shown = f"case when contains({text}, '@') then '' else {quoted} end"
    cases = [f"when {text} is null then null"]
    if column.required:
        cases = [f"when {text} is null then 'is required but empty'"]

    def unless(condition: str, expectation: str) -> None:
        expected = literal(f"expected {expectation}")
        cases.append(f"when not coalesce({condition}, false) then {expected} || {shown}")

    if column.data_type == "varchar":
        unless(
            f"strlen({text}) <= {TEXT_LIMIT} and not contains({text}, chr(0))",
            "a text of at most 1 MiB without NUL",
        )
    unless(f"{value} is not null", _expected(column))
    if column.minimum is not None:
        unless(f"{value} >= {column.minimum!r}", f"at least {column.minimum}")
    if column.above is not None:
        unless(f"{value} > {column.above!r}", f"more than {column.above}")
    if column.one_of:
        options = ", ".join(map(literal, column.one_of))
        unless(f"{value} in ({options})", f"one of {', '.join(column.one_of)}")
    if column.data_type in ("date", "timestamp"):
        unless(
            f"year({value}) between {EARLIEST} and {LATEST}", f"a year from {EARLIEST} to {LATEST}"
        )
    if column.event_time:
        latest = literal((context.arrival + timedelta(days=1)).isoformat(sep=" "))
        unless(
            f"{value}::timestamp <= {latest}::timestamp",
            "a time no later than a day after the file arrived",
        )
    return f"{literal(column.name)} || {SEPARATOR} || case {' '.join(cases)} end"


def raw_value(column: Column) -> str:
    """What is kept of a column: of an id that is an e-mail address, its keyed hash."""
    quoted = name(column.name)
    if column.personal != "id":
        return quoted
    return (
        f"case when contains({quoted}, '@') then {email_hash(quoted)} else {quoted} end as {quoted}"
    )


def hash_of(column: Column) -> str:
    """The keyed hash of an e-mail or a number, as the column that stands for it."""
    hashed = phone_hash if column.personal == "phone" else email_hash
    return f"{hashed(name(column.name))} as {name(column.hash_name)}"


def email_hash(email: str) -> str:
    """The keyed hash of an e-mail given in SQL; the key is the engine's variable `hash_key`."""
    text = f"lower(trim({email}, {BLANKS}))"
    return f"case when {text} <> '' then {_keyed_hash(text)} end"


def phone_hash(phone: str) -> str:
    """The keyed hash of a number's last eight digits, in which it is the same however written."""
    digits = f"regexp_replace({phone}, '[^0-9]', '', 'g')"
    return f"case when length({digits}) >= 8 then {_keyed_hash(f'{digits}[-8:]')} end"


def _keyed_hash(text: str) -> str:
    return f"sha256(getvariable('hash_key') || '|' || {text})[:32]"


def _printable(text: str) -> str:
    """The beginning of a text, in one line and with nothing invisible in it."""
    shown = f"{text}[:80]"
    for code, escape in ((10, "\\n"), (13, "\\r"), (9, "\\t")):
        shown = f"replace({shown}, chr({code}), '{escape}')"
    return f"regexp_replace({shown}, '[\\pC\\p{{Zl}}\\p{{Zp}}]', '\\\\?', 'g')"


def _parsed(text: str, date_formats: tuple[str, ...]) -> str:
    return f"coalesce({', '.join(_parsed_as(text, date_format) for date_format in date_formats)})"


def _parsed_as(text: str, date_format: str) -> str:
    parsed = f"try_strptime({text}, {literal(date_format)})"
    if re.search("%[A-Za-z][^%]", date_format):
        return parsed
    # digits without separators can be divided wrongly: 1997011 is no date
    return f"case when strftime({parsed}, {literal(date_format)}) = {text} then {parsed} end"


def _expected(column: Column) -> str:
    if column.currency:
        return "a currency code of three letters like EUR"
    if column.date_format in EPOCHS:
        return f"a number of {EPOCHS[column.date_format][0]} since 1970"
    if column.date_format:
        return f"a date written as {' or '.join(column.date_formats)}"
    if match := re.fullmatch(r"decimal\((\d+),(\d+)\)", column.data_type):
        digits, decimals = int(match[1]), int(match[2])
        return (
            f"a number like 1234.56 (up to {digits - decimals} digits before the point and "
            f"{decimals} behind, no separators)"
        )
    return {
        "varchar": "a text",
        "boolean": "true or false",
        "bigint": "a whole number of 64 bits",
        "double": "a finite number",
        "date": "a date like 2024-12-31",
        "timestamp": "a time like 2024-12-31 23:59:59 or 2024-12-31T23:59:59+01:00",
    }[column.data_type]
