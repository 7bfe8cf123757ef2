"""One file to typed Parquet: each record is loaded or rejected, or the whole file is held."""

import csv
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import duckdb

from dagster_project.lib.intake.connectors import Entity, folded
from dagster_project.lib.intake.content import Content
from dagster_project.lib.intake.landing import Held, printable
from dagster_project.lib.intake.paths import faults, root_of, value_at
from dagster_project.lib.intake.records import Layout, Scan, read_records, scan, transcode
from dagster_project.lib.intake.rules import (
    SEPARATOR,
    Context,
    Field,
    first_filled,
    hash_of,
    problem_of,
    raw_value,
    text_of,
    value_of,
)
from dagster_project.lib.intake.sql import engine, literal, name

REJECTED_COLUMNS = {
    "connector": "varchar",
    "entity": "varchar",
    "file": "varchar",
    "line": "bigint",
    "row_number": "bigint",
    "column_name": "varchar",
    "reason": "varchar",
    "raw_text": "varchar",
    "sha256": "varchar",
    "rejected_at": "timestamp",
}
ROWS_PER_BYTE = 100  # more rows than this times the size of a Parquet file are taken for a bomb
ROWS_FREE = 1_000_000
FINER = "timestamp[ns, tz="
NESTED = re.compile(r"STRUCT|MAP|JSON|.*\]$")
COLUMN_LIMIT = 2000  # of a file, whether declared or not
UNWRITABLE = re.compile("could not write|no space|file too large|disk quota", re.IGNORECASE)
# Parts of JSON as regular expressions: what its standard forbids and the engine takes, texts, and
# either whatever is no number or a number.
LOOSE = r"'(?i)nan|inf|,\s*[\]}]'"
TEXTS = r"""'"(?:[^"\\]|\\.)*"'"""
NUMBERS = r"""'((?:[^"0-9-]|"(?:[^"\\]|\\.)*")+)|(-?[0-9][0-9.eE+-]*)'"""
MARK = "chr(1)"  # stands in no JSON
CSV_OPTIONS = (
    "auto_detect = false, strict_mode = true, null_padding = false, encoding = 'utf-8', "
    "max_line_size = 8388608, buffer_size = 33554432"
)


class Place(NamedTuple):
    """Where a file holds a value: a column, counted from 0, and a path where it is nested."""

    position: int
    path: str | None = None


@dataclass(frozen=True)
class Match:
    """How the columns of a file meet the declared ones; the first place that is filled counts."""

    positions: dict[str, tuple[Place, ...]]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def note(self) -> str:
        parts = {"columns ignored": self.ignored, "optional columns missing": self.missing}
        return "; ".join(
            f"{title}: {printable(', '.join(names))}" for title, names in parts.items() if names
        )


@dataclass(frozen=True)
class Parsed:
    """Counts of one file; records = loaded + rejected."""

    records: int
    loaded: int
    rejected: int
    match: Match


@dataclass(frozen=True)
class Job:
    """One file to be read. `rows` and `rejects` are written, inside the private folder `work`."""

    entity: Entity
    file: str
    content: Content
    context: Context
    loaded_at: datetime  # UTC
    hash_key: str
    work: Path
    rows: Path
    rejects: Path


@dataclass(frozen=True)
class Source:
    """Records as a relation with `_row` and whatever `fields` and `raw` refer to."""

    relation: str
    fields: Sequence[Field]
    problem: str = "null::varchar"  # of the record as a whole, in the form of rules.problem_of
    raw: str | None = None  # the record's text; None: it is to be looked up in the file


def parse(job: Job) -> Parsed:
    """Reads, types and counts one file; Held, with the reason, where that cannot be done."""
    file_format = job.entity.format_of(job.file)
    if file_format is None:
        raise Held(
            "has no extension that tells its format; known are csv, tsv, txt, parquet, jsonl, json"
        )
    try:
        if file_format == "parquet":
            return _parse_parquet(job)
        return _parse_text(job, file_format)
    except duckdb.OutOfMemoryException as error:
        raise MemoryError from error
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        if UNWRITABLE.search(message):  # nothing is wrong with the file
            raise OSError(message) from error
        message = message.replace(job.content.path, job.file)
        raise Held(f"cannot be read: {message}") from error


def match_columns(entity: Entity, found: Sequence[str], nested: Container[int] = ()) -> Match:
    """Which column of a file is which. Held where a required one is missing or one comes twice.

    `nested` are the positions of columns that may hold nested values.
    """
    if len(found) > COLUMN_LIMIT:
        raise Held(f"has more than {COLUMN_LIMIT} columns, far more than any table of a shop")
    known = {spelling for column in entity.columns for spelling in column.spellings}
    known |= {folded(root_of(path)) for column in entity.columns for path in column.paths}
    if known.isdisjoint(map(folded, found)):  # they may be data, which is not to be repeated
        raise Held(f"names none of the columns of {entity.name}; its first line must")
    listed = ", ".join(repr(spelling.strip()[:80]) for spelling in found[:100])
    by_name: dict[str, list[int]] = {}
    positions: dict[str, tuple[Place, ...]] = {}
    for position, spelling in enumerate(found):
        by_name.setdefault(folded(spelling), []).append(position)
    for spelling, places in by_name.items():
        if len(places) > 1 and spelling:
            twice = found[places[1]].strip()[:80]
            raise Held(f"has the column {twice!r} twice; columns found: {listed}")
    for column in entity.columns:
        hits = [by_name[spelling][0] for spelling in column.spellings if spelling in by_name]
        if len(hits) > 1:
            both = " and ".join(repr(found[hit].strip()) for hit in sorted(hits))
            raise Held(f"has {both}, which both mean {column.name}; columns found: {listed}")
        roots = [(by_name.get(folded(root_of(path)), [-1])[0], path) for path in column.paths]
        found_at = [Place(hit) for hit in hits]
        found_at += [Place(root, path) for root, path in roots if root in nested]
        if found_at:
            positions[column.name] = tuple(found_at)
    missing = [column for column in entity.columns if column.name not in positions]
    required = [column.name for column in missing if column.required]
    if required:
        raise Held(f"lacks the required column {', '.join(required)}; columns found: {listed}")
    used = {place.position for places in positions.values() for place in places}
    ignored = tuple(
        printable(spelling.strip(), 80) for at, spelling in enumerate(found) if at not in used
    )
    return Match(
        dict(sorted(positions.items(), key=lambda item: item[1][0].position)),
        tuple(column.name for column in missing),
        ignored,
    )


def _parse_parquet(job: Job) -> Parsed:
    records, found = _footer(job.content.path)
    if records > ROWS_FREE + ROWS_PER_BYTE * job.content.bytes:
        raise Held(f"claims {records} rows, more than {job.content.bytes} bytes can hold")
    _refuse_finer_times(job.content.path)
    with engine(job.work, [job.content.path]) as connection:
        path = literal(job.content.path)
        relation = f"read_parquet({path}, file_row_number = true, binary_as_string = false)"
        described = connection.execute(f"describe select * from {relation}").fetchall()
        types = {row[0]: row[1] for row in described if row[0] != "file_row_number"}
        if len(types) != len(found):
            raise Held(f"has {len(found)} columns, of which {len(types)} could be read")
        values = {at: (f"c{at}", kind) for at, kind in enumerate(types.values())}
        roots = {at: f"to_json({sql})" for at, (sql, kind) in values.items() if NESTED.match(kind)}
        match = match_columns(job.entity, found, roots)
        renamed = ", ".join(f"{name(column)} as c{at}" for at, column in enumerate(types))
        whole = ", ".join(f"{literal(column)}: c{at}" for at, column in enumerate(types))
        source = Source(
            f"select file_row_number + 1 as _row, {renamed} from {relation}",
            _fields(job, match, values, roots),
            _problem(_faults(match, roots)),
            raw=f"to_json({{{whole}}})::varchar",
        )
        return _load(connection, job, source, match, records)


def _footer(path: str) -> tuple[int, list[str]]:
    """Rows and columns of a Parquet file, as another reader than the one that loads sees them."""
    import pyarrow  # takes longer to load than most files to read
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            return file.metadata.num_rows, file.schema_arrow.names
    except (pyarrow.ArrowException, OSError) as error:
        raise Held(f"cannot be read as Parquet: {error}") from None


def _refuse_finer_times(path: str) -> None:
    """Holds a file with times in UTC finer than a microsecond, which the reader that loads cuts
    before a rule can see them."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            schema = file.schema_arrow
            fine = [field.name for field in schema if str(field.type).startswith(FINER)]
            for batch in file.iter_batches(columns=fine) if fine else ():
                for times in batch.columns:
                    times.cast(pyarrow.timestamp("us", times.type.tz))
    except pyarrow.ArrowInvalid as error:
        raise Held(
            f"holds times finer than a microsecond ({error}); round them in the export"
        ) from None
    except (pyarrow.ArrowException, OSError) as error:
        raise Held(f"cannot be read as Parquet: {error}") from None


def _parse_text(job: Job, file_format: str) -> Parsed:
    path = transcode(job.content.path, job.entity.encodings, str(job.work / "decoded"))
    layout = {
        "csv": Layout(job.entity.delimiter_of(job.file), quoted=True),
        "whitespace": Layout(None),
        "jsonl": Layout(""),
    }[file_format]
    has_header = job.entity.header and file_format != "jsonl"
    counted = scan(path, layout)
    if not counted.records and (has_header or not job.content.bytes):
        raise Held("is empty: not even a header" if has_header else "is empty")
    match, width = _columns(job, path, layout, has_header)
    relation, broken, records = None, None, counted.records - has_header
    if layout.delimiter is not None and _is_plain(counted, layout, width):
        relation = _read(job, path, layout, width, has_header, counted)
    if relation is None:
        relation, broken, records = _divide(job, path, layout, width, has_header, counted)
    with engine(job.work) as connection:
        if match is None:
            source, match = _json_source(connection, job, relation, counted)
        else:
            values = {at: (f"c{at}", "VARCHAR") for ((at, _),) in match.positions.values()}
            source = Source(relation, _fields(job, match, values, {}))
        return _load(connection, job, source, match, records, (path, layout), broken)


def _is_plain(counted: Scan, layout: Layout, width: int) -> bool:
    return counted.plain and (not layout.delimiter or counted.fewest == counted.most == width)


def _columns(job: Job, path: str, layout: Layout, has_header: bool) -> tuple[Match | None, int]:
    """How columns match and how many fields a record has; None where only the keys of JSON tell."""
    if layout.delimiter == "":
        return None, 1
    first = next(read_records(path, layout), None)
    declared = [column.name for column in job.entity.columns]
    if first is None:
        return match_columns(job.entity, declared), len(declared)
    if has_header:
        if first.problem:
            raise Held(f"has no usable header: {first.problem}")
        return match_columns(job.entity, first.fields), len(first.fields)
    width = len(first.fields)
    if width > len(declared):
        raise Held(f"has {width} columns where {len(declared)} are declared: {', '.join(declared)}")
    return match_columns(job.entity, declared[:width]), width


def _read(
    job: Job, path: str, layout: Layout, width: int, has_header: bool, counted: Scan
) -> str | None:
    """The fast way: the engine reads the file, in parallel and in order, to untyped Parquet.

    None where it refuses the file or finds other than what was counted: it says too little then.
    """
    columns = ", ".join(f"'c{number}': 'varchar'" for number in range(width))
    delimiter = literal(layout.delimiter) if layout.delimiter else "chr(1)"
    quote = "'\"'" if layout.quoted else "''"
    lines = (
        f"select * from read_csv({literal(path)}, {CSV_OPTIONS}, header = {has_header}, "
        f"delim = {delimiter}, quote = {quote}, escape = {quote}, "
        f"columns = {{{columns}}})"
    )
    if not layout.delimiter:
        lines += " where c0 is not null"
    text = job.work / "text.parquet"
    with engine(job.work, [path]) as connection:
        try:
            if _copy(connection, lines, text) != counted.records - has_header:
                return None
        except duckdb.InvalidInputException:
            return None
    rows = f"read_parquet({literal(text)}, file_row_number = true)"
    return f"select file_row_number + 1 as _row, * exclude (file_row_number) from {rows}"


def _divide(
    job: Job, path: str, layout: Layout, width: int, has_header: bool, counted: Scan
) -> tuple[str, Path, int]:
    """The slow way: records are told apart here; malformed ones are rejected, others copied."""
    records, record = 0, None
    clean, broken = job.work / "clean.csv", job.work / "broken.csv"
    with (
        clean.open("w", encoding="utf-8", newline="") as good_file,
        broken.open("w", encoding="utf-8", newline="") as bad_file,
    ):
        good = csv.writer(good_file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        bad = csv.writer(bad_file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for record in islice(read_records(path, layout), int(has_header), None):
            records += 1
            problem = record.problem
            if not problem and len(record.fields) != width:
                problem = f"expected {width} fields, not {len(record.fields)}"
            if problem:
                bad.writerow([records, record.line, problem, _storable(record.text)])
            else:
                good.writerow([records, *record.fields])
    if record and len(record.fields) < width and not counted.ended:
        raise Held(
            f"is cut off: line {record.line}, its last, has {len(record.fields)} of {width} fields"
        )
    columns = ["r", *(f"c{number}" for number in range(width))]
    relation = f"select r::bigint as _row, * exclude (r) from {_own_csv(clean, columns)}"
    return relation, broken, records


def _json_source(
    connection: duckdb.DuckDBPyConnection, job: Job, lines: str, counted: Scan
) -> tuple[Source, Match]:
    """Each number is put in quotes, so that the engine reads it as the text it is."""
    loose = (
        f"regexp_matches(c0, {LOOSE}) "
        f"and regexp_matches(regexp_replace(c0, {TEXTS}, '', 'g'), {LOOSE})"
    )
    is_object = (
        f"case when json_valid(c0) then json_type(c0) = 'OBJECT' and not ({loose}) else false end"
    )
    objects = f"select _row, c0, case when {is_object} then c0 end as object from ({lines})"
    marked = f"regexp_replace(object, {NUMBERS}, '\\1' || {MARK} || '\\2' || {MARK}, 'g')"
    exact = f"replace(replace({marked}, {MARK} || {MARK}, ''), {MARK}, '\"')"
    relation = f"select *, {exact} as exact from ({objects})"
    last = f"select arg_max(object is null, _row) from ({relation})"
    if not counted.ended and connection.execute(last).fetchall()[0][0]:
        raise Held("is cut off: its last line is not one JSON object and has no end")
    keys = connection.execute(
        f"select key from (select unnest(json_keys(object)) as key, _row from ({relation})) "
        f"group by key order by min(_row), key limit {COLUMN_LIMIT + 1}"
    ).fetchall()
    found = [key for (key,) in keys]
    # without a single object in the file, each line is rejected for itself
    unmatched = Match({}, tuple(column.name for column in job.entity.columns), ())
    match = match_columns(job.entity, found, range(len(found))) if found else unmatched
    values, roots = {}, {}
    for at, key in enumerate(found):
        pointer = literal("/" + key.replace("~", "~0").replace("/", "~1"))
        is_nested = f"json_type(object, {pointer}) in ('OBJECT', 'ARRAY')"
        text = f"json_extract_string(case when {is_nested} then object else exact end, {pointer})"
        values[at] = (text, "VARCHAR")
        roots[at] = f"json_extract(exact, {pointer})"
    faults_of_lines = {
        "the line is not one JSON object": "object is null",
        "the object has a key twice": (
            "len(json_keys(object)) <> len(list_distinct(json_keys(object)))"
        ),
    }
    return (
        Source(
            relation,
            _fields(job, match, values, roots),
            _problem(faults_of_lines | _faults(match, roots)),
            raw="c0",
        ),
        match,
    )


def _fields(
    job: Job,
    match: Match,
    values: Mapping[int, tuple[str, str]],
    roots: Mapping[int, str],
) -> list[Field]:
    """The columns that a file has. `values`: SQL and type of each of its own; `roots`: the nested
    ones as JSON."""
    columns = {column.name: column for column in job.entity.columns}
    return [
        first_filled(
            [
                Field(columns[known], value_at(roots[at], path))
                if path
                else Field(columns[known], *values[at])
                for at, path in places
            ]
        )
        for known, places in match.positions.items()
    ]


def _faults(match: Match, roots: Mapping[int, str]) -> dict[str, str]:
    """What can be wrong with a record on the way to its nested values."""
    paths = {(at, path) for places in match.positions.values() for at, path in places if path}
    found: dict[str, str] = {}
    for at, root in roots.items():
        found |= faults(root, sorted(path for held, path in paths if held == at))
    return found


def _problem(conditions: Mapping[str, str]) -> str:
    """SQL of what is wrong with a record as a whole, from conditions by reason."""
    cases = [f"when {when} then {SEPARATOR} || {literal(why)}" for why, when in conditions.items()]
    return f"case {' '.join(cases)} end" if cases else "null::varchar"


def _load(
    connection: duckdb.DuckDBPyConnection,
    job: Job,
    source: Source,
    match: Match,
    records: int,
    text: tuple[str, Layout] | None = None,
    broken: Path | None = None,
) -> Parsed:
    """Writes the rows that fit and the rejects; Held if the two are not all records."""
    connection.execute("set variable hash_key = ?", [job.hash_key])
    typed = _typed(source, job)
    loaded = _copy(
        connection, f"select {_raw_columns(job)} from ({typed}) where problem is null", job.rows
    )
    rejected = 0
    if loaded != records:
        raw = f"({source.raw}) as raw_text" if source.raw else "null::varchar as raw_text"
        connection.execute(
            f"create temp table problems as select _row, problem, raw_text from ({typed}) "
            f"join (select _row, {raw} from ({source.relation})) using (_row) "
            "where problem is not null order by _row"
        )
        rejected = _write_rejects(connection, job, text, broken)
    if loaded + rejected != records:
        raise Held(f"has {records} records, of which {loaded + rejected} could be read")
    return Parsed(records, loaded, rejected, match)


def _typed(source: Source, job: Job) -> str:
    numbered = list(enumerate(source.fields))
    texts = "".join(f", {text_of(field)} as t{n}, {field.sql} as s{n}" for n, field in numbered)
    values = "".join(
        f", {value_of(Field(f.column, f's{n}', f.type), f't{n}', job.context)} as v{n}"
        for n, f in numbered
    )
    problems = ", ".join(
        ["p", *(problem_of(f, f"t{n}", f"v{n}", job.context) for n, f in numbered)]
    )
    named = {field.column.name: f"v{n}" for n, field in numbered}
    columns = "".join(
        f", {named.get(column.name, 'null')}::{column.data_type} as {name(column.name)}"
        for column in job.entity.columns
    )
    return (
        f"select _row{columns}, coalesce({problems}) as problem from (select *{values} from "
        f"(select _row, {source.problem} as p{texts} from ({source.relation})))"
    )


def _raw_columns(job: Job) -> str:
    stamp = job.loaded_at.isoformat(sep=" ")
    return ", ".join(
        [
            *(raw_value(column) for column in job.entity.columns),
            *(hash_of(column) for column in job.entity.columns if column.is_hashed),
            f"{literal(job.file)} as _file",
            "_row",
            f"{literal(stamp)}::timestamp as _loaded_at",
        ]
    )


def _write_rejects(
    connection: duckdb.DuckDBPyConnection,
    job: Job,
    text: tuple[str, Layout] | None,
    broken: Path | None,
) -> int:
    lines = "select null::bigint as r, null::bigint as line, null::varchar as raw where false"
    if text:
        located = job.work / "located.csv"
        _locate(connection, *text, job.entity.header and text[1].delimiter != "", located)
        found = _own_csv(located, ["r", "line", "raw"])
        lines = f"select r::bigint as r, line::bigint as line, raw from {found}"
    rejects = (
        f"select line, _row, nullif(split_part(problem, {SEPARATOR}, 1), '') as column_name, "
        f"problem[strpos(problem, {SEPARATOR}) + 1:] as reason, coalesce(raw_text, raw) as raw "
        f"from problems left join ({lines}) on r = _row"
    )
    if broken:
        columns = ["r", "line", "reason", "raw"]
        rejects += (
            " union all select line::bigint, r::bigint, null, reason, raw from "
            f"{_own_csv(broken, columns)}"
        )
    facts = [job.entity.connector, job.entity.name, job.file]
    stamp = f"{literal(job.loaded_at.isoformat(sep=' '))}::timestamp"
    values = [*map(literal, facts), "line", "_row", "column_name", "reason", "raw"]
    values += [literal(job.content.sha256), stamp]
    listed = ", ".join(
        f"{value}::{kind} as {column}"
        for value, (column, kind) in zip(values, REJECTED_COLUMNS.items(), strict=True)
    )
    return _copy(connection, f"select {listed} from ({rejects}) order by row_number", job.rejects)


def _locate(
    connection: duckdb.DuckDBPyConnection, path: str, layout: Layout, has_header: bool, target: Path
) -> None:
    """Writes line and text of the records in `problems`, found in the file itself."""
    rows = connection.execute("select _row from problems order by _row").fetchnumpy()["_row"]
    wanted = iter(rows.tolist())
    row = next(wanted, None)
    with target.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        records = islice(read_records(path, layout), int(has_header), None)
        for number, record in enumerate(records, 1):
            if row is None:
                break
            if number == row:
                out.writerow([number, record.line, _storable(record.text)])
                row = next(wanted, None)


def _storable(text: str) -> str:
    return text[: 1 << 20].replace("\0", "\\0")


def _own_csv(path: Path, columns: Sequence[str]) -> str:
    listed = ", ".join(f"'{column}': 'varchar'" for column in columns)
    return (
        f"read_csv({literal(path)}, {CSV_OPTIONS}, header = false, delim = ',', quote = '\"', "
        f"escape = '\"', new_line = '\\n', columns = {{{listed}}})"
    )


def _copy(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> int:
    copied = connection.execute(
        f"copy ({query}) to {literal(target)} (format parquet, compression zstd)"
    )
    target.chmod(0o600)
    return int(copied.fetchall()[0][0])
