"""Dirty files made from a seed, and what must become of every record in them.

Nothing here is read from the product: a value that fits is written together with the Python value
it stands for, one that does not with the words that its rejection must contain.
"""

import gzip
import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import parquet

BLANKS = " \t\r\n\v\f"
ALPHABET = [*"abcXYZ019 .;|'\\/%$*?[]{}<>&=+-@#üéß€", "e\u0301", "日本", "😀", "\u0663", "\u00a0"]
ALPHABET += ["\u200b", "\u202e", "\ufeff", "{{ 1/0 }}", "'; drop table x; --", "../../etc", "null"]
ALPHABET += ["NULL", "NaN"]


class Cell(NamedTuple):
    """A value as it is written, the value to be loaded, or what its rejection must say."""

    text: str
    value: Any = None
    wanted: str | None = None
    is_json_number: bool = False


class Rejection(NamedTuple):
    line: int | None
    columns: set[str | None]
    words: str
    raw: str | None


@dataclass
class Dirty:
    """A file: `held` says a part of the reason; a `damaged` one is compared with another reader."""

    name: str
    columns: list[str]
    data: bytes = b""
    records: int = 0
    loaded: dict[int, dict[str, Any]] = field(default_factory=dict)
    rejected: dict[int, Rejection] = field(default_factory=dict)
    held: str | None = None
    damaged: bool = False

    def refuse(self, line: int, words: str, raw: str, *columns: str) -> None:
        """The next record is rejected, as a whole or for one of these columns."""
        self.records += 1
        self.rejected[self.records] = Rejection(line, {None, *columns}, words, raw)

    def settle(self, row: dict[str, Cell], line: int | None = None, raw: str | None = None) -> None:
        """The next record is loaded, or rejected for a value that does not fit: in delimited text
        the first, elsewhere any of them."""
        self.records += 1
        bad = {column: cell.wanted for column, cell in row.items() if cell.wanted}
        if bad and self.name.endswith(("csv", "tsv", "txt")):
            bad = dict([next(iter(bad.items()))])
        if bad:
            words = "" if len(bad) > 1 else next(iter(bad.values()))
            self.rejected[self.records] = Rejection(line, {*bad}, words, raw)
        else:
            self.loaded[self.records] = {column: cell.value for column, cell in row.items()}


def text_cell(pick: random.Random, extra: str = "") -> Cell:
    letters = [*ALPHABET, *extra]
    text = "".join(pick.choice(letters) for _ in range(pick.randrange(12)))
    return Cell(text, text.strip(BLANKS) or None)


def amount_cell(pick: random.Random, decimals: int = 6, whole_digits: int = 12) -> Cell:
    whole = str(pick.randrange(10 ** pick.randrange(1, whole_digits + 1)))
    digits = "".join(pick.choice("0123456789") for _ in range(pick.randrange(decimals + 1)))
    text = f"{whole}.{digits}" if digits else whole
    prefix = pick.choice(["", "", "", "+", "0"])
    return Cell(prefix + text, Decimal(text), is_json_number=not prefix)


def quantity_cell(pick: random.Random) -> Cell:
    number = pick.choice([pick.randrange(-100, 100), pick.randrange(-(2**63), 2**63)])
    return Cell(f"{number}{pick.choice(['', '', '.0'])}", number, is_json_number=True)


def gift_cell(pick: random.Random) -> Cell:
    truth = pick.random() < 0.5
    word = pick.choice(["true", "t", "yes", "y", "1"] if truth else ["false", "f", "no", "n", "0"])
    return Cell(pick.choice([word, word.upper(), word.title()]), truth)


def day_cell(pick: random.Random) -> Cell:
    day = date(1990, 1, 1) + timedelta(days=pick.randrange(12_000))
    return Cell(f"{day}{pick.choice(['', '', ' 00:00:00', 'T00:00'])}", day)


def time_cell(pick: random.Random) -> Cell:
    at = datetime(1990, 1, 1) + timedelta(seconds=pick.randrange(10**9))
    kind = pick.randrange(5)
    if kind == 0:
        offset = timezone(timedelta(minutes=pick.choice([-570, -60, 0, 60, 345, 840])))
        return Cell(at.replace(tzinfo=UTC).astimezone(offset).isoformat(), at)
    if kind == 1:
        at += timedelta(microseconds=pick.randrange(10**6))
        return Cell(f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", at)
    if kind == 2:
        at = at.replace(second=0)
        return Cell(f"{at:%Y-%m-%d %H:%M}", at)
    if kind == 3:
        at = at.replace(hour=0, minute=0, second=0)
        return Cell(f"{at:%Y-%m-%d}", at)
    return Cell(f"{at:%Y-%m-%d %H:%M:%S}", at)


def currency_cell(pick: random.Random) -> Cell:
    code = pick.choice(["EUR", "JPY", "KWD"])
    return Cell(pick.choice([code, code.lower()]), code)


def status_cell(pick: random.Random) -> Cell:
    status = pick.choice(["paid", "cancelled"])
    return Cell(pick.choice([status, status.upper()]), status)


def rate_cell(pick: random.Random) -> Cell:
    value = Decimal(pick.randrange(1, 10**12)) / 10**8
    return Cell(f"{value:.8f}", value, is_json_number=True)


GOOD: dict[str, Callable[[random.Random], Cell]] = {
    "email": text_cell,
    "status": status_cell,
    "currency": currency_cell,
    "amount": amount_cell,
    "rate": rate_cell,
    "quantity": quantity_cell,
    "is_gift": gift_cell,
    "shipped_on": day_cell,
    "ordered_at": time_cell,
}
NO_NUMBER = ["1.234,56", "1,234.56", "NaN", "Infinity", "-inf", "1e5", "0x1F", "\uff11\uff12"]
NO_NUMBER += ["5 €", "$5", "1 000", "1_000", "1'000", "--1", "1.2.3", ".", "+", "½", "1.5\u200b"]
NO_TIME = ["2024-01-01 25:00:00", "2024-01-01 10:00:60", "2024-02-30 10:00:00", "2024-01-01 10"]
NO_TIME += ["01/02/2024", "\uff12\uff10\uff12\uff14-01-01", "1704067200", "epoch", "now"]
BAD: dict[str, dict[str, Sequence[str]]] = {
    "status": {"one of paid, cancelled": ["lost", "paid;", "p\u0430id", "pa id", "\u202epaid"]},
    "currency": {
        "a currency code of three letters": ["EURO", "€", "E1R", "\uff25\uff35\uff32", "E\u0301U"]
    },
    "amount": {
        "a number like 1234.56": [*NO_NUMBER, "1000000000000", "0.1234567", "9" * 60],
        "at least 0": ["-0.01", "-5"],
    },
    "rate": {"a number like": NO_NUMBER, "more than 0": ["0", "0.00000000", "-1"]},
    "quantity": {
        "a whole number of 64 bits": [*NO_NUMBER, str(2**63), str(-(2**63) - 1), "2.5", "1e3"]
    },
    "is_gift": {"true or false": ["maybe", "2", "ja", "truee", "-1", "\uff54"]},
    "shipped_on": {
        "a date like": ["29.02.2024", "2023-02-29", "2024-13-01", "20240101", "2024-1-1", "today"],
        "a year from 1900": ["1899-12-31", "0001-01-01", "2201-01-01"],
    },
    "ordered_at": {
        "a time like": NO_TIME,
        "a year from 1900": ["1899-12-31 10:00:00", "9999-12-31"],
        "no later than a day after": ["2199-12-31 00:00:00", "2150-01-01"],
    },
}


def cell(pick: random.Random, column: str) -> Cell:
    """One of an optional column: mostly good, sometimes empty, sometimes bad."""
    luck = pick.random()
    if luck < 0.1:
        return Cell(pick.choice(["", " "]))
    if luck < 0.18 and column in BAD:
        wanted = pick.choice([*BAD[column]])
        return Cell(pick.choice(BAD[column][wanted]), wanted=wanted)
    return GOOD[column](pick)


def cells(pick: random.Random, columns: Sequence[str], key: str) -> dict[str, Cell]:
    row = {column: cell(pick, column) for column in columns if column != "order_id"}
    tail = text_cell(pick).text
    key = f"{key} {tail}".strip(BLANKS)
    row["order_id"] = Cell(key, key)
    if pick.random() < 0.02:
        row["order_id"] = Cell(pick.choice(["", "  "]), wanted="is required but empty")
    return {column: row[column] for column in columns}


def some_columns(pick: random.Random) -> list[str]:
    columns = ["order_id", *pick.sample([*GOOD], pick.randrange(1, 6))]
    pick.shuffle(columns)
    return columns


def spelled(pick: random.Random, column: str) -> str:
    if column == "amount" and pick.random() < 0.3:
        column = "Total"
    return pick.choice([column, column.upper(), f" {column} ", column.title()])


def dirt_of(pick: random.Random, file: Dirty, kinds: dict[str, str]) -> str | None:
    """What is wrong with the file as a whole: of most nothing."""
    dirt = pick.choice([*kinds, *[None] * 20])
    file.held = kinds[dirt] if dirt else None
    return dirt


# CSV

CSV_HELD = {
    "missing": "lacks the required column order_id",
    "double": "",
    "open": "never closes",
    "after": "text after a closing quote",
    "cut": "is cut off",
    "unmarked": "UTF-16 without a byte order mark",
    "byte": "is not utf-8: byte 0x",
    "empty": "is empty",
}
TAILS = {
    "open": 'x@"never',
    "after": 'x@"a"b',
    "cut": "x",
}  # last lines, @ stands for the delimiter


def delimited(pick: random.Random, number: int) -> Dirty:
    suffix, delimiter = pick.choice([("csv", ","), ("tsv", "\t"), ("csv", ",")])
    file = Dirty(f"orders-{number}.{suffix}", some_columns(pick))
    dirt = dirt_of(pick, file, CSV_HELD)
    header = [spelled(pick, column) for column in file.columns]
    if dirt == "missing":
        header[file.columns.index("order_id")] = "id"
    elif dirt == "double":
        header.append(f"{pick.choice(file.columns).upper()} ")
    extra = [f"extra {n}" for n in range(pick.randrange(3))]
    width = len(header) + len(extra)

    def written(text: str) -> str:
        must = text.startswith('"') or any(mark in text for mark in delimiter + "\r\n")
        return '"' + text.replace('"', '""') + '"' if must or pick.random() < 0.2 else text

    style, whole, words = pick.choice(["\n", "\r\n", None]), "", None

    def add(text: str) -> None:
        nonlocal whole
        whole += text + (style or pick.choice(["\n", "\r\n"]))

    add(delimiter.join([*map(written, header), *extra]))
    for n in range(pick.randrange(25)):
        while pick.random() < 0.05:
            add("")
        row = cells(pick, file.columns, f"{number}-{n}")
        if "email" in row and pick.random() < 0.3:
            mark = pick.choice(['"', delimiter, "\n", "\r\n", "\r", '""', "\n\n"])
            text = f"a{mark}b{row['email'].text}"
            row["email"] = Cell(text, text.strip(BLANKS))
        fields = [written(cell.text) for cell in row.values()]
        fields += [written(text_cell(pick).text + pick.choice(["", "\n"])) for _ in extra]
        words = None
        luck = pick.random()
        if luck < 0.03:
            kept = pick.randrange(1, width)
            fields, words = ["x", *fields[1:kept]], f"expected {width} fields, not {kept}"
        elif luck < 0.06:
            fields, words = [*fields, "more"], f"expected {width} fields, not {len(fields) + 1}"
        elif luck < 0.08:
            fields[0], words = "a\0b", "NUL byte"
        elif luck < 0.10:
            fields[-1], words = "a\rb", "a carriage return that does not end a line"
        elif luck < 0.102:
            fields[0], words = "x" * (1 << 20), "longer than 1 MiB"
        record, line = delimiter.join(fields), whole.count("\n") + 1
        raw = record[: 1 << 20].replace("\0", "\\0")
        if words:
            file.refuse(line, words, raw)
        else:
            file.settle(row, line, raw)
        add(record)
    if not dirt and words is None and pick.random() < 0.3:
        whole = whole.removesuffix("\n").removesuffix("\r")
    whole += TAILS.get(dirt or "", "").replace("@", delimiter)
    encoding = pick.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"])
    encoding = {"unmarked": "utf-16-le", "byte": "utf-8"}.get(dirt or "", encoding)
    file.data = b"" if dirt == "empty" else whole.encode(encoding)
    if dirt == "byte":
        place = pick.choice([place for place, byte in enumerate(file.data) if byte == 10])
        broken = pick.choice([b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf"])
        file.data = file.data[:place] + broken + file.data[place:]
    return file


# text divided by blanks


def blank_divided(pick: random.Random, number: int) -> Dirty:
    file = Dirty(f"visits-{number}.txt", ["visitor", "day", "amount"])
    lines: list[str] = []
    for n in range(1, pick.randrange(2, 20)):
        visitor = f"v{number}-{n}" + pick.choice(["", '"', "\u00fc", "\u00a0x", "'--", '"a"'])
        day = day_cell(pick).value
        row = {
            "visitor": Cell(visitor, visitor),
            "day": Cell(f"{day:%Y%m%d}", day),
            "amount": amount_cell(pick),
        }
        luck = pick.random()
        if luck < 0.1:
            text = pick.choice(["20230229", "2024011", "x", "2024-01-01"])
            row["day"] = Cell(text, wanted="a date")
        elif luck < 0.2:
            row["amount"] = Cell(
                pick.choice(["1,5", "NaN", "1e5", "\uff15"]), wanted="a number like"
            )
        fields = [cell.text for cell in row.values()]
        if lines and luck > 0.9:
            fields = fields[:2] if luck > 0.95 else [*fields, "x"]
        gap = pick.choice([" ", "  ", "\t", " \t "])
        text = pick.choice(["", " "]) + gap.join(fields) + pick.choice(["", " "])
        line = len(lines) + 1
        if len(fields) == 3:
            file.settle(row, line, text)
        else:
            file.refuse(line, f"expected 3 fields, not {len(fields)}", text)
        lines += [text, *[""] * (pick.random() < 0.1)]
    style = pick.choice(["\n", "\r\n"])
    file.data = (style.join(lines) + style).encode()
    return file


# JSON lines

JSON_HELD = {
    "missing": "lacks the required column order_id",
    "cut": "is cut off",
    "byte": "is not utf-8: byte 0xFF at line 1",
}
NO_OBJECT = ["{@", "{@}}", "{@}{@}", "{@,}", "[{@}]", "null", "{'odd': 1, @}", "[" * 5000]
NO_OBJECT += [
    f'{{@, "odd": {odd}}}' for odd in ("NaN", "-Infinity", "01", '"\\ud800"', '"\t"', "[1,]")
]
ODD_NUMBERS = ["1.50", "9007199254740993.0", "-0.0", "1E5", "123456789012345678901"]


def json_lines(pick: random.Random, number: int) -> Dirty:
    file = Dirty(f"orders-{number}.jsonl", some_columns(pick))
    dirt = dirt_of(pick, file, JSON_HELD)
    keys = {column: spelled(pick, column) for column in file.columns}
    if dirt == "missing":
        keys["order_id"] = "id"
    as_ascii, lines = pick.random() < 0.5, list[str]()

    def written(cell: Cell) -> str:
        if cell.is_json_number and pick.random() < 0.6:
            return cell.text
        if cell.value is None and not cell.wanted and pick.random() < 0.5:
            return "null"
        return json.dumps(cell.text, ensure_ascii=as_ascii)

    for n in range(pick.randrange(1, 25)):
        row = cells(pick, file.columns, f"{number}-{n}")
        if pick.random() < 0.2:
            odd = pick.choice(ODD_NUMBERS)
            row["order_id"] = Cell(odd, odd, is_json_number=True)
        if "email" in row and pick.random() < 0.2:
            text = 'a"\\b\n\t' + row["email"].text
            row["email"] = Cell(text, text.strip(BLANKS))
        parts = [f"{json.dumps(keys[column])}: {written(cell)}" for column, cell in row.items()]
        parts += pick.choice([[], ['"extra": {"a": [1, 2.50, {}]}'], ['"ext": []']])
        if n:
            pick.shuffle(parts)
        inside, line = ", ".join(parts), len(lines) + 1
        text = f"{{{inside}}}"
        luck = pick.random() if n else 1  # the first line has every column
        if luck < 0.12:
            text = pick.choice(NO_OBJECT).replace("@", inside)
            file.refuse(line, "the line is not one JSON object", text)
        elif luck < 0.15:
            text = f"{{{inside}, {parts[0]}}}"
            file.refuse(line, "", text, *(column for column, cell in row.items() if cell.wanted))
        else:
            file.settle(row, line, text)
        lines += [text, *[""] * (pick.random() < 0.05)]
    style = pick.choice(["\n", "\r\n"])
    whole = style.join(lines) + style + ('{"order_id": "x' if dirt == "cut" else "")
    file.data = whole.encode(pick.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"]))
    if dirt == "byte":
        file.data = whole.encode().replace(b"{", b"{\xff", 1)
    return file


# Parquet


def parquet_file(pick: random.Random, number: int) -> Dirty:
    file = Dirty(f"orders-{number}.parquet", some_columns(pick))
    dirt = dirt_of(pick, file, {"double": "", "cut": "cannot be read as Parquet"})
    rows = [cells(pick, file.columns, f"{number}-{n}") for n in range(pick.randrange(30))]
    types = {
        "quantity": pa.int64(),
        "amount": pa.decimal128(18, 6),
        "shipped_on": pa.date32(),
        "ordered_at": pa.timestamp("us", pick.choice([None, "UTC"])),
        "is_gift": pa.bool_(),
    }
    arrays = []
    for column in file.columns:
        if column in types and pick.random() < 0.5:
            for row in rows:
                while row[column].wanted:
                    row[column] = GOOD[column](pick)
            array = pa.array([row[column].value for row in rows], types[column])
        else:
            texts = [row[column].text or pick.choice(["", None]) for row in rows]
            array = pa.array(texts, pa.string())
            array = array.cast(pick.choice([pa.string(), pa.large_string(), pa.binary()]))
            array = array.dictionary_encode() if pick.random() < 0.2 else array
        arrays.append(array)
    for row in rows:
        file.settle(row)
    names = [spelled(pick, column) for column in file.columns]
    if dirt == "double":
        names.append(pick.choice(names).swapcase())
        arrays.append(arrays[0])
    out = io.BytesIO()
    parquet.write_table(
        pa.Table.from_arrays(arrays, names),
        out,
        row_group_size=pick.choice([1, 7, 1000]),
        compression=pick.choice(["none", "snappy", "zstd", "gzip"]),
    )
    file.data = out.getvalue()[: -pick.randrange(1, 50) if dirt == "cut" else None]
    return file


MAKERS = [delimited, delimited, delimited, json_lines, json_lines, parquet_file, blank_divided]


def dirty_files(seed: int, count: int) -> list[Dirty]:
    """So many files; the same ones for the same seed."""
    pick = random.Random(seed)
    files = [pick.choice(MAKERS)(pick, number) for number in range(count)]
    for file in files:
        if pick.random() < 0.2 and file.held is None:
            damage(pick, file)
        if pick.random() < 0.2 and not file.name.endswith("parquet"):
            compress(pick, file)
    return files


def damage(pick: random.Random, file: Dirty) -> None:
    """Bits flipped, bytes lost or doubled: nobody knows what is right then."""
    data, file.damaged = bytearray(file.data), True
    for _ in range(pick.choice([1, 1, 3])):
        place = pick.randrange(len(data))
        kind = pick.randrange(3)
        if kind == 0:
            data[place] ^= 1 << pick.randrange(8)
        elif kind == 1:
            del data[place + 1 :]
        else:
            data[place:place] = data[place : place + pick.randrange(1, 40)]
    file.data = bytes(data)


def compress(pick: random.Random, file: Dirty) -> None:
    """As one gzip member or as two, sometimes cut off."""
    middle = pick.choice([len(file.data), pick.randrange(len(file.data) + 1)])
    file.name += pick.choice([".gz", ".GZ"])
    file.data = gzip.compress(file.data[:middle]) + gzip.compress(file.data[middle:])
    if pick.random() < 0.15:
        file.data, file.held = file.data[: -pick.randrange(1, 20)], "truncated gzip"
