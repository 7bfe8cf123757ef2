"""Records of a text file, found without the engine that loads them: two counts to compare."""

import codecs
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from dagster_project.lib.intake.landing import Held

RECORD_LIMIT = 1 << 20  # bytes; a longer record is rejected
LINE_LIMIT = 64 << 20  # bytes; a file with a longer line is held
BLOCK = 8 << 20
QUOTE, NEWLINE, RETURN = b'"\n\r'
BLANKS = re.compile("[ \\t\\v\\f]+")
MARKS = {  # those of UTF-32 first, for one of them begins like one of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
OTHER_FORMATS = {
    b"\x1f\x8b": "compressed by gzip",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
}


@dataclass(frozen=True)
class Layout:
    """What is between fields: `delimiter`; None stands for blanks, '' for a line as one field."""

    delimiter: str | None
    quoted: bool = False


@dataclass
class Scan:
    """Counts of one file, the header included. `plain`: every reader will see the same records;
    `ended`: the last one has a line end."""

    records: int = 0
    fewest: int = 1 << 62
    most: int = 0
    plain: bool = True
    ended: bool = True


class Record(NamedTuple):
    line: int
    text: str
    fields: list[str]
    problem: str | None


def transcode(source: str, encodings: Sequence[str], target: str) -> str:
    """The path of a UTF-8 form of a text file: `target` if it had to be written, else `source`.

    A byte order mark decides, else the first of the encodings in which every byte has a meaning.
    Held, with the first byte that does not fit, where there is none.
    """
    with Path(source).open("rb") as file:
        start = file.read(4)
    for mark, content in OTHER_FORMATS.items():
        if start.startswith(mark):
            raise Held(f"is {content}, whatever its name says")
    marked = next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    if not marked and start[:2].count(0) == 1 and "utf-8" in encodings:
        raise Held("is UTF-16 without a byte order mark; save it as UTF-8")
    problems = []
    for encoding in (marked,) if marked else encodings:
        is_utf8 = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
        if is_utf8 and encoding in (marked, encodings[-1]):
            return source  # the scan says where it is not
        try:
            _decode(source, encoding, os.devnull if is_utf8 else target)
        except Held as held:
            problems.append(str(held))
        else:
            return source if is_utf8 else target
    raise Held("; it ".join(problems))


def _decode(source: str, encoding: str, target: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, lines = 0, 1
    with (
        Path(source).open("rb") as file,
        Path(target).open("w", encoding="utf-8", newline="") as out,
    ):
        while True:
            block = file.read(BLOCK)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                lines += error.object.count(b"\n", 0, error.start)
                raise _undecodable(error, encoding, lines, offset - pending) from None
            out.write(text)
            if not block:
                return
            offset += len(block)
            lines += text.count("\n")


def scan(path: str, layout: Layout) -> Scan:
    """Counts the records of a UTF-8 file: line ends outside quotes, empty lines skipped.

    Quotes count by parity, which is exact only where every opening quote begins a field and every
    closing one ends it; this is checked, and `plain` is False where it does not hold. Held where
    the text is not UTF-8.
    """
    result = Scan()
    delimiter = ord(layout.delimiter) if layout.delimiter else -1
    in_quotes = carried = carried_delimiters = ends_crlf = ends = lines = offset = 0
    for block, complete in _blocks(path):
        try:
            block.isascii() or block.decode()
        except UnicodeDecodeError as error:
            line = lines + block.count(b"\n", 0, error.start) + 1
            raise _undecodable(error, "utf-8", line, offset) from None
        offset += len(block)
        result.ended = complete
        lines += block.count(b"\n")
        returns = block.count(b"\r")
        cut = not complete and block[-2] == RETURN  # a carriage return that ends the file
        if b"\0" in block or returns != block.count(b"\r\n") - cut:
            result.plain = False
        data = np.frombuffer(block, np.uint8)
        newlines = np.flatnonzero(data == NEWLINE)
        delimiters = np.flatnonzero(data == delimiter)
        if layout.quoted and (in_quotes or b'"' in block):
            quotes = np.flatnonzero(data == QUOTE)
            opening = (np.arange(len(quotes)) + in_quotes) % 2 == 0
            before = np.where(quotes > 0, data[quotes - 1], NEWLINE)[opening]
            after = data[quotes + 1][~opening]
            if not (
                np.isin(before, (delimiter, NEWLINE, QUOTE)).all()
                and np.isin(after, (delimiter, NEWLINE, QUOTE, RETURN)).all()
            ):
                result.plain = False
            newlines = newlines[(np.searchsorted(quotes, newlines) + in_quotes) % 2 == 0]
            delimiters = delimiters[(np.searchsorted(quotes, delimiters) + in_quotes) % 2 == 0]
            in_quotes = (in_quotes + len(quotes)) % 2
        if not len(newlines):
            carried += len(block)
            carried_delimiters += len(delimiters)
            continue
        lengths = np.diff(newlines, prepend=-1 - carried) - 1
        crlf = (data[newlines - 1] == RETURN) & (lengths > 0)
        filled = lengths > crlf
        seen = np.searchsorted(delimiters, newlines)
        fields = np.diff(seen, prepend=-carried_delimiters)[filled] + 1
        carried = len(block) - 1 - int(newlines[-1])
        carried_delimiters = len(delimiters) - int(seen[-1])
        if len(fields):
            result.records += len(fields)
            result.fewest = min(result.fewest, int(fields.min()))
            result.most = max(result.most, int(fields.max()))
        if lengths.max() > RECORD_LIMIT:
            result.plain = False
        ends_crlf += int(crlf.sum()) if complete else int(crlf[:-1].sum())
        ends += len(newlines) if complete else len(newlines) - 1
    if in_quotes or carried or 0 < ends_crlf < ends:
        result.plain = False
    return result


def read_records(path: str, layout: Layout) -> Iterator[Record]:
    """Every record of a UTF-8 file with its first line, text, fields and what is wrong with it.

    A quote inside an unquoted field is data. Held, with line and column, at a quote that never
    closes and at text after a closing quote: from there on nobody can say where a record ends.
    """
    with Path(path).open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        lines = _Lines(file)
        while (text := lines.take()) is not None:
            line = lines.number
            if not text:
                continue
            if layout.delimiter is None:
                fields = bare = [field for field in BLANKS.split(text) if field]
            elif not layout.delimiter:
                fields, bare = [text], []
            elif '"' in text:
                text, fields, bare = _quoted(text, layout.delimiter, lines)
            else:
                fields = bare = text.split(layout.delimiter)
            yield Record(line, text, fields, _problem(text, bare))


class _Lines:
    """Lines without their ends; `number` and `ending` are those of the line taken last."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.number, self.ending = file, 0, ""

    def take(self) -> str | None:
        line = self.file.readline(LINE_LIMIT)
        if not line:
            return None
        if len(line) >= LINE_LIMIT:
            raise Held("has a line longer than 64 MiB")
        self.number += 1
        text = line[:-2] if line.endswith("\r\n") else line.removesuffix("\n")
        self.ending = line[len(text) :]
        return text


def _quoted(text: str, delimiter: str, lines: _Lines) -> tuple[str, list[str], list[str]]:
    """The text of a record with quotes, over as many lines as it spans, its fields, and those of
    them that stand in no quotes."""
    first, fields, bare, start = lines.number, list[str](), list[str](), 0

    def place(position: int) -> str:
        line = first + text.count("\n", 0, position)
        return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"

    while start <= len(text):
        if not text.startswith('"', start):
            end = text.find(delimiter, start)
            end = len(text) if end < 0 else end
            fields.append(text[start:end])
            bare.append(text[start:end])
        else:
            end = text.find('"', start + 1)
            while end < 0 or text.startswith('""', end):
                if end >= 0:
                    end = text.find('"', end + 2)
                    continue
                known = len(text)
                ending, more = lines.ending, lines.take()
                if more is None or known > LINE_LIMIT:
                    raise Held(f"has a quote opened at {place(start)} that never closes")
                text += ending + more
                end = text.find('"', known)
            fields.append(text[start + 1 : end].replace('""', '"'))
            end += 1
            if text[end : end + 1] not in ("", delimiter):
                raise Held(
                    f"has text after a closing quote at {place(end)} "
                    f"(the field opens at {place(start)})"
                )
        start = end + 1
    return text, fields, bare


def _problem(text: str, bare: Sequence[str]) -> str | None:
    if len(text) > RECORD_LIMIT // 4 and len(text.encode()) > RECORD_LIMIT:
        return "the record is longer than 1 MiB"
    if "\0" in text:
        return "the record holds a NUL byte"
    if "\r" in text and any("\r" in field for field in bare):
        return "the record holds a carriage return that does not end a line"
    return None


def _blocks(path: str) -> Iterator[tuple[bytes, bool]]:
    """The file in pieces of whole lines; False with a last one that had no line end of its own."""
    rest = b""
    with Path(path).open("rb", buffering=0) as file:
        if file.read(3) != codecs.BOM_UTF8:
            file.seek(0)
        while chunk := file.read(BLOCK):
            rest += chunk
            cut = rest.rfind(b"\n") + 1
            if cut:
                yield rest[:cut], True
                rest = rest[cut:]
            elif len(rest) > LINE_LIMIT:
                raise Held("has a line longer than 64 MiB")
    if rest:
        yield rest + b"\n", False


def _undecodable(error: UnicodeDecodeError, encoding: str, line: int, offset: int) -> Held:
    byte = error.object[error.start]
    return Held(
        f"is not {encoding}: byte 0x{byte:02X} at line {line}, byte "
        f"{offset + error.start + 1} of the file; save it as UTF-8 or declare its encoding"
    )
