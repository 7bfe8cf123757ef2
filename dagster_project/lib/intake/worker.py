"""The child process that reads the bytes of foreign files, so that no file can take the run along.

It has limits of memory, time and of what it writes. A file that meets one is held and the child
replaced; the next file finds a new one. The parent opens files and checks that they are the ones
found, and hands over descriptors. Requests are pickled; replies are JSON, for what a file may have
got the better of is not to be unpickled.
"""

import ctypes
import json
import os
import pickle
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, TypeVar

from dagster_project.lib.errors import RegularsError
from dagster_project.lib.intake.content import Content, content_of
from dagster_project.lib.intake.landing import Held, Landed
from dagster_project.lib.intake.parse import Job, Match, Parsed, Place, parse
from dagster_project.lib.intake.sql import MEMORY

SECONDS, BYTES_PER_SECOND = 60, 200_000  # for a file: so long, and so much longer by its size
WRITTEN, WRITTEN_TIMES = 1 << 30, 256  # bytes of one file written, and so many times the size read
STARTING_SECONDS = 60
REPLY_LIMIT = 1 << 20
OUT_OF_MEMORY = 77  # exit code
PACKAGES = str(Path(__file__).resolve().parents[3])
PR_SET_NO_NEW_PRIVS = 38
INHERITED = {
    limit: resource.getrlimit(limit)[0] for limit in (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)
}

Act = Callable[..., Content | Parsed]
Answer = TypeVar("Answer")


class Worker:
    """The parent's side. Nothing is started before the first file; use it in a `with`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def content(self, file: Landed, descriptor: int, work: Path) -> Content:
        """The decompressed content of an open file; Held where it cannot be had."""
        return self._ask(
            content_of, (file.path, file.bytes, work), file.bytes, _content, descriptor
        )

    def parse(self, job: Job) -> Parsed:
        """`parse.parse` of the content asked for last."""
        return self._ask(parse, (job,), job.content.bytes, _parsed)

    def stop(self) -> None:
        """Ends the child, whatever it is doing."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._replies.close()
            self._socket.close()

    def _ask(
        self,
        act: Act,
        given: tuple[object, ...],
        size: int,
        read: Callable[[dict[str, Any]], Answer],
        *descriptors: int,
    ) -> Answer:
        if not self._process:
            self._start()
        seconds = SECONDS + size / BYTES_PER_SECOND
        try:
            may_write = WRITTEN + WRITTEN_TIMES * size
            reply = self._exchange((act, given, may_write), seconds, descriptors)
            if "held" in reply:
                raise Held(str(reply["held"]))
            if "failed" in reply:
                raise OSError(str(reply["failed"]))
            return read(reply)
        except TimeoutError:
            self.stop()
            raise Held(f"took longer than {seconds:.0f} s to read") from None
        except EOFError:
            raise Held(self._cause_of_death()) from None
        except (KeyError, TypeError, ValueError) as error:
            self.stop()
            raise Held(f"made its reader answer what makes no sense: {error}") from None

    def _exchange(
        self, request: object, seconds: float, descriptors: Sequence[int] = ()
    ) -> dict[str, Any]:
        self._socket.settimeout(seconds)
        try:
            socket.send_fds(self._socket, [b"\n"], descriptors)
            self._socket.sendall(pickle.dumps(request))
            line = self._replies.readline(REPLY_LIMIT)
        except ConnectionError:
            line = b""
        if not line:
            raise EOFError
        reply = json.loads(line)
        if not isinstance(reply, dict):
            raise TypeError(f"a reply that is {type(reply).__name__}")
        return reply

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._replies = self._socket.makefile("rb")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "dagster_project.lib.intake.worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={"PYTHONPATH": PACKAGES},
                process_group=0,  # Ctrl-C is for the parent, which ends the child
            )
        try:
            self._exchange(MEMORY, STARTING_SECONDS)
        except (EOFError, OSError, ValueError) as error:
            self.stop()
            raise RegularsError("the process that reads files does not start") from error

    def _cause_of_death(self) -> str:
        assert self._process
        code = self._process.wait()
        self.stop()
        if code == OUT_OF_MEMORY:
            return f"needs more than {MEMORY >> 20} MiB of memory to be read"
        end = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"made its reader end with {end}; it is damaged or needs too much memory"


def _content(reply: dict[str, Any]) -> Content:
    if not re.fullmatch("[0-9a-f]{64}", reply["sha256"]):
        raise ValueError("a hash that is none")
    return Content(str(reply["path"]), reply["sha256"], int(reply["bytes"]))


def _parsed(reply: dict[str, Any]) -> Parsed:
    records, loaded, rejected = (int(reply[name]) for name in ("records", "loaded", "rejected"))
    if min(loaded, rejected) < 0 or records != loaded + rejected:
        raise ValueError("counts that do not meet")
    match = reply["match"]
    positions = {
        str(column): tuple(Place(int(at), path and str(path)) for at, path in places)
        for column, places in match["positions"].items()
    }
    missing, ignored = (tuple(map(str, match[name])) for name in ("missing", "ignored"))
    return Parsed(records, loaded, rejected, Match(positions, missing, ignored))


def serve() -> None:
    """The child's side: answers one request after another until the parent is gone."""
    parent = socket.socket(fileno=0)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    requests, opened = parent.makefile("rb"), list[int]()
    while True:
        first, descriptors, _, _ = socket.recv_fds(parent, 1, 1)
        if not first:
            return
        if descriptors:  # of another file
            for descriptor in opened:
                os.close(descriptor)
            opened = descriptors
        request = pickle.load(requests)
        reply = _limit(request) if isinstance(request, int) else _reply(descriptors, *request)
        parent.sendall(json.dumps(reply).encode() + b"\n")


def _limit(memory: int) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_DATA, memory)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return {}


def _reply(
    descriptors: Sequence[int], act: Act, given: Sequence[object], may_write: int
) -> dict[str, Any]:
    is_ours = _lower(resource.RLIMIT_FSIZE, may_write)
    try:
        return asdict(act(*descriptors, *given))
    except Held as held:
        return {"held": str(held)}
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except OSError as error:
        if is_ours and "file too large" in str(error).lower():
            return {"held": f"makes its reader write more than {may_write >> 20} MiB"}
        return {"failed": str(error)}
    except Exception as error:
        return {"held": f"made its reader fail: {type(error).__name__}: {error}"}


def _lower(limit: int, value: int) -> bool:
    """Sets a limit unless a lower one is inherited; says whether it is ours."""
    inherited = INHERITED[limit]
    if inherited != resource.RLIM_INFINITY and inherited <= value:
        return False
    resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))
    return True


def _end_with(parent: socket.socket) -> None:
    """Ends this process at once when the parent is gone, whatever else it is doing."""
    poll = select.poll()
    poll.register(parent, 0)
    poll.poll()
    os._exit(0)


if __name__ == "__main__":
    serve()
