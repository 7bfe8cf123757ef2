"""The process that reads foreign files: what it may do, and what becomes of a file that ends it."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from dagster_project.lib.errors import RegularsError
from dagster_project.lib.intake import intake, worker
from dagster_project.lib.intake.worker import Worker
from tests.described import Shop, described_shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """With a good file, read after the bad one."""
    shop = described_shop(tmp_path, monkeypatch, Worker())
    monkeypatch.setattr(intake, "Worker", Worker)
    shop.land("orders_z.csv", "order_id\nA\n")
    return shop


def sparse(shop: Shop, size: int) -> None:
    """A file that takes no room, but time to read."""
    os.truncate(shop.land("orders_big.csv", "order_id\n"), size)


def held(shop: Shop) -> str:
    """Why the bad file is held; the good one must be loaded."""
    (row,) = shop.run().held
    assert shop.raw("order_id, _file") == [("A", "shop/orders_z.csv")]
    assert row.reason is not None and row.reason.isprintable()
    return row.reason


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (ProcessLookupError, FileNotFoundError):
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":  # only its parent has not asked yet
            return True
        time.sleep(0.02)
    return False


def test_a_file_that_needs_too_much_memory_is_held(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 90_000, pa.int32()), ["x" * 1_000_000])
    parquet.write_table(pa.table({"order_id": long}), shop.landing / "shop" / "orders_b.parquet")
    monkeypatch.setattr(worker, "MEMORY", 600 << 20)
    assert "needs more than 600 MiB of memory" in held(shop)


def test_a_file_that_takes_too_long_is_held(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse(shop, 100 << 30)
    monkeypatch.setattr(worker, "SECONDS", 2)
    monkeypatch.setattr(worker, "BYTES_PER_SECOND", 1 << 50)
    assert "took longer than 2 s to read" in held(shop)


def test_a_file_that_makes_its_reader_write_too_much_is_held(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("orders_b.csv.gz", gzip.compress(b"order_id\n" + b"B\n" * (2 << 20)))
    monkeypatch.setattr(worker, "WRITTEN", 2 << 20)
    assert "makes its reader write more than 3 MiB" in held(shop)


def test_a_file_that_ends_its_reader_is_held(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Worker.parse

    def struck(reader: Worker, job: Any) -> Any:
        if "orders_b" in job.file:
            assert reader._process
            reader._process.kill()
        return reading(reader, job)

    shop.land("orders_b.csv", "order_id\nB\n")
    monkeypatch.setattr(Worker, "parse", struck)
    assert "made its reader end with signal SIGKILL" in held(shop)


@pytest.mark.parametrize(
    "reply",
    [
        {"path": "x", "sha256": "../../../etc/passwd", "bytes": 1},
        {"path": "x", "sha256": "0" * 64, "bytes": None},
        {"records": 3, "loaded": 1, "rejected": 1},
        {"records": 1, "loaded": 2, "rejected": -1},
        {},
    ],
)
def test_an_answer_is_not_trusted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, reply: dict[str, object]
) -> None:
    asking = Worker._exchange
    asked = "records" if "records" in reply else "sha256"

    def answered(reader: Worker, request: Any, *given: Any) -> Any:
        honest = asking(reader, request, *given)
        is_meant = asked in honest and "orders_b" in repr(request)
        return {"match": honest.get("match"), **reply} if is_meant else honest

    shop.land("orders_b.csv", "order_id\nB\n")
    monkeypatch.setattr(Worker, "_exchange", answered)
    assert "answer what makes no sense" in held(shop)


def test_nothing_is_started_where_no_file_is_new(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run()
    monkeypatch.setattr(Worker, "_start", None)
    assert not shop.run().held


def test_a_reader_that_does_not_start_fails_the_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.sys, "executable", "/bin/false")
    with pytest.raises(RegularsError, match="does not start"):
        shop.run()


def test_an_interrupted_run_leaves_no_reader(shop: Shop) -> None:
    shop.land("orders_zz.csv", "order_id\nB\n")
    found, others = list[int](), readers()

    def interrupt(message: str) -> None:
        if "orders_zz" in message:
            found.extend(readers() - others)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        intake.run_intake(shop.settings, as_of=None, run_id="run", progress=interrupt)
    assert len(found) == 1
    assert gone(found[0])


def readers() -> set[int]:
    """Processes of this one that read files."""
    listing = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    mark = b"dagster_project.lib.intake.worker"
    return {pid for pid in map(int, listing.split()) if mark in proc(pid, "cmdline")}


def proc(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def looked_at(shop: Shop, look: Callable[[int], object]) -> list[object]:
    """What `look` says of the process that reads, while it has a file."""
    shop.land("orders_zz.csv", "order_id\nB\n")
    seen, others = list[object](), readers()

    def progress(message: str) -> None:
        seen.extend(look(pid) for pid in readers() - others)

    intake.run_intake(shop.settings, as_of=None, run_id="run", progress=progress)
    return seen


def test_a_reader_knows_no_secret_and_has_limits(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    shop.options["hash_key"] = "canary"

    def look(pid: int) -> object:
        assert b"canary" not in proc(pid, "environ") + proc(pid, "cmdline")
        assert os.getpgid(pid) == pid  # Ctrl-C does not reach it
        limits = {line[:25].strip(): line[26:].split()[0] for line in text(pid, "limits")[1:]}
        assert limits["Max data size"] == str(worker.MEMORY)
        assert limits["Max core file size"] == "0"
        assert int(limits["Max file size"]) < 2 << 30
        status = dict(line.split(":\t", 1) for line in text(pid, "status"))
        assert status["NoNewPrivs"] == "1"
        return True

    def text(pid: int, name: str) -> list[str]:
        return proc(pid, name).decode().splitlines()

    assert looked_at(shop, look) == [True]


def test_a_reader_ends_with_its_parent(shop: Shop) -> None:
    """Even in the middle of a file."""
    sparse(shop, 100 << 30)
    script = """
import json, os, sys
from pathlib import Path
from dagster_project.lib.intake.landing import Landed
from dagster_project.lib.intake.worker import Worker
worker = Worker()
worker._start()
print(worker._process.pid, flush=True)
path, work = sys.argv[1:]
worker.content(Landed(None, path, None, 100 << 30), os.open(path, os.O_RDONLY), Path(work))
"""
    path = shop.landing / "shop" / "orders_big.csv"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(shop.root)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = json.loads(parent.stdout.readline())
        time.sleep(0.5)
        assert not proc(child, "stat").endswith(b"Z")
        parent.send_signal(signal.SIGKILL)
    assert gone(child)
