"""Children that are born with the libraries already imported.

Starting one of Placet's programs costs two to three seconds of processor time, most of it in the
imports of other people's packages. A nursery is a process that has made those imports and nothing
else (no settings, no module of Placet's); for each program it forks a child, which then runs
`python -m …` or a script exactly as a fresh interpreter would: own session, own environment, own
standard streams and descriptors. The nursery tells how its children ended.

Those imports cost three seconds of a core themselves. The suite makes them once: where
PLACET_TEST_NURSERY names a socket, whoever connects there gets a nursery of its own, forked from
the one that listens. A nursery ends with its children when the process that it works for is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from tests.support.mother import MESSAGE_BYTES

ROOT: Final = Path(__file__).resolve().parents[2]
ADDRESS: Final = "PLACET_TEST_NURSERY"
LOG: Final = ".log"  # after the address
LIBRARIES: Final = (
    "aiohttp", "autobahn.websocket.protocol", "celery.apps.beat", "celery.apps.worker",
    "celery.bin.celery", "celery.concurrency.thread", "channels.layers", "channels.routing",
    "channels_redis.pubsub", "django.core.handlers.asgi", "django.core.management",
    "django.db.backends.postgresql.base", "django.db.backends.sqlite3.base", "django.db.models",
    "httpx2", "jsonschema", "kombu.transport.redis", "mcp", "mcp.client.client",
    "mcp.client.streamable_http", "mcp.server.auth.middleware.bearer_auth",
    "mcp.server.streamable_http_manager", "prometheus_client", "psycopg", "pydantic",
    "redis.asyncio", "servestatic", "starlette.applications", "twisted.internet.defer",
    "twisted.web.http", "uuid6", "yaml",
)  # fmt: skip


class NurseryGone(ChildProcessError):
    """A nursery ended in the midst of the tests that it worked for, and its children with it."""


class Child:
    """What `subprocess.Popen` would be for a child of a nursery."""

    def __init__(self, nursery: Nursery, number: int) -> None:
        self._nursery = nursery
        self._number = number
        self.returncode: int | None = None
        self.pid = 0

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.ended(self._number, within=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        until = time.monotonic() + (3600 if timeout is None else timeout)
        while self.poll() is None:
            left = until - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0)
            self.returncode = self._nursery.ended(self._number, within=min(left, 0.05))
        assert self.returncode is not None
        return self.returncode


class Nursery:
    """The side that asks for children. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = 0
        self._born: dict[int, int] = {}
        self._ended: dict[int, int] = {}
        self.pid = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        if ADDRESS in os.environ:
            address = os.environ[ADDRESS]
            self._log = Path(address + LOG)
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                self._socket.connect(address)
            except OSError as refused:
                self._socket.close()
                raise self._gone(f"it could be reached at {address}") from refused
            return
        descriptor, name = tempfile.mkstemp(prefix="placet-n-", suffix=LOG)
        self._log = Path(name)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, os.fdopen(descriptor, "ab") as output:
            self._process = _started(theirs, output=output)

    def bear(
        self,
        argv: Sequence[str],
        *,
        env: dict[str, str] | None,
        cwd: Path,
        output: int,
        pass_fds: Sequence[int],
    ) -> Child:
        """A child that runs `argv` (an interpreter of ours, then -m or a script)."""
        with self._lock:
            self._numbers += 1
            child = Child(self, self._numbers)
            asked = {
                "number": self._numbers,
                "argv": list(argv[1:]),
                "env": dict(os.environ) if env is None else env,
                "cwd": str(cwd),
                "fds": [1, 2, *pass_fds],
            }
            fds = [output, output, *pass_fds]
            try:
                socket.send_fds(self._socket, [json.dumps(asked).encode()], fds)
            except ConnectionError as broken:
                raise self._gone(f"it bore {argv[1:]}") from broken
            while self._numbers not in self._born:
                self._hear(within=60)
            child.pid = self._born.pop(self._numbers)
        return child

    def ended(self, number: int, *, within: float) -> int | None:
        """How a child ended; None while it runs."""
        with self._lock:
            while number not in self._ended and self._hear(within=within):
                within = 0
            return self._ended.pop(number, None)

    def _hear(self, *, within: float) -> bool:
        readable, _, _ = select.select([self._socket], [], [], within)
        if not readable:
            return False
        try:
            message = self._socket.recv(MESSAGE_BYTES)
        except ConnectionError:
            message = b""
        if not message:
            raise self._gone("it told of what it was asked for")
        told = json.loads(message)
        (self._born if "pid" in told else self._ended)[told["number"]] = told.get(
            "pid", told.get("code")
        )
        return True

    def _gone(self, when: str) -> NurseryGone:
        said = self._log.read_text("utf-8", errors="replace") if self._log.exists() else ""
        return NurseryGone(
            f"the nursery of process {self.pid} ended before {when}, and its children with it; "
            f"what it wrote to {self._log}: {said[-4000:] or 'nothing, as when it is killed'}"
        )

    def close(self) -> None:
        """End it, with whoever is left."""
        if self.pid == os.getpid():
            self._socket.close()
            if self._process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(10)
                self._log.unlink(missing_ok=True)


def _started(
    given: socket.socket,
    *,
    output: IO[bytes],
    leash: int = subprocess.DEVNULL,
    libraries: Sequence[str] = LIBRARIES,
) -> subprocess.Popen[bytes]:
    """A nursery that works for whoever holds the other end of `given`, or listens there.

    One that listens ends with its leash, a pipe, and so with the process that started it.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.mother", str(given.fileno()), *libraries],
        stdin=leash,
        stdout=output,
        stderr=output,
        cwd=ROOT,
        pass_fds=[given.fileno()],
        start_new_session=True,
    )


@contextmanager
def shared(*, libraries: Sequence[str] = LIBRARIES) -> Iterator[dict[str, str]]:
    """One nursery for many processes; yields the environment by which they find it.

    What it writes lies beside its socket.
    """
    if not _can_fork():
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="placet-n-") as folder:
        address = f"{folder}/nursery"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(address)
            listener.listen(64)
            with Path(address + LOG).open("ab") as output:
                process = _started(
                    listener, output=output, leash=subprocess.PIPE, libraries=libraries
                )
        try:
            yield {ADDRESS: address}
        finally:
            process.communicate(timeout=10)


_lock = threading.Lock()
_nursery: Nursery | None = None


def nursery() -> Nursery | None:
    """This process's nursery, made at first use; None where forking so is not to be trusted."""
    global _nursery  # noqa: PLW0603 (one per process)
    if not _can_fork():
        return None
    with _lock:
        if _nursery is None or _nursery.pid != os.getpid():
            _nursery = Nursery()
            atexit.register(_nursery.close)
        return _nursery


def _can_fork() -> bool:
    return sys.platform == "linux"


def can_bear(argv: Sequence[str]) -> bool:
    """Whether `argv` is this interpreter with a module or a script, and no option of its own."""
    return (
        len(argv) > 1
        and argv[0] == sys.executable
        and (argv[1].endswith(".py") or (argv[1] == "-m" and len(argv) > 2))
    )
