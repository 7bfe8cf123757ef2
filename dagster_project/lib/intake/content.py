"""The content of a landed file: decompressed within limits, and known by its hash."""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from dagster_project.lib.intake.landing import Held

BLOCK = 8 << 20
PACKED_BLOCK = 1 << 16  # small, for what is left of it is copied at the end of each member
EXPANDED_LIMIT = 64 << 30  # bytes
EXPANSION_LIMIT = 250  # times the compressed size, beyond the first 64 MiB
EXPANSION_FREE = 64 << 20


@dataclass(frozen=True)
class Content:
    """`path` is one that no one can swap for another file: of an open descriptor, or private. It is
    a path of the process that reads."""

    path: str
    sha256: str
    bytes: int


def content_of(descriptor: int, file: str, size: int, work: Path) -> Content:
    """The decompressed content of a file that is open. Held where it cannot be had."""
    path = f"/dev/fd/{descriptor}"
    if file.lower().endswith(".gz"):
        target = work / "expanded"
        _expand(path, target, size)
        path = str(target)
    return Content(path, _sha256(path), Path(path).stat().st_size)


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _expand(source: str, target: Path, compressed: int) -> None:
    limit = min(EXPANDED_LIMIT, EXPANSION_FREE + EXPANSION_LIMIT * compressed)
    written, member, started = 0, zlib.decompressobj(wbits=31), False
    with Path(source).open("rb") as packed, target.open("wb") as out:
        rest = packed.read(PACKED_BLOCK)
        while rest:
            try:
                block = member.decompress(rest, BLOCK)
            except zlib.error as error:
                raise Held(f"is not a valid gzip file: {error}") from None
            started = True
            written += out.write(block)
            if written > limit:
                raise Held(
                    f"expands to more than {limit >> 20} MiB; unpack it yourself if it is sound"
                )
            rest = member.unconsumed_tail
            if member.eof:
                rest = member.unused_data or packed.read(PACKED_BLOCK)
                if rest:
                    member = zlib.decompressobj(wbits=31)
            elif not rest:
                rest = packed.read(PACKED_BLOCK)
        if not started or not member.eof:
            raise Held("is a truncated gzip file")
