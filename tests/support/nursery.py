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

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
MESSAGE_BYTES: Final = 200_000
MOST_FDS: Final = 16
ADDRESS: Final = "PLACET_TEST_NURSERY"
HIGH: Final = 400  # where descriptors wait until they get the numbers they were asked for
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
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._socket.connect(os.environ[ADDRESS])
            return
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _started(theirs)

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
            socket.send_fds(self._socket, [json.dumps(asked).encode()], fds)
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
        message = self._socket.recv(MESSAGE_BYTES)
        if not message:
            raise ChildProcessError("the nursery is gone")
        told = json.loads(message)
        (self._born if "pid" in told else self._ended)[told["number"]] = told.get(
            "pid", told.get("code")
        )
        return True

    def close(self) -> None:
        """End it, with whoever is left."""
        if self.pid == os.getpid():
            self._socket.close()
            if self._process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(10)


def _started(given: socket.socket, *, leash: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """A nursery that works for whoever holds the other end of `given`, or listens there.

    One that listens ends with its leash, a pipe, and so with the process that started it.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.nursery", str(given.fileno())],
        stdin=leash,
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
        pass_fds=[given.fileno()],
        start_new_session=True,
    )


@contextmanager
def shared() -> Iterator[dict[str, str]]:
    """One nursery for many processes; yields the environment by which they find it."""
    if not _can_fork():
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="placet-n-") as folder:
        address = f"{folder}/nursery"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(address)
            listener.listen(64)
            process = _started(listener, leash=subprocess.PIPE)
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


# -- the nursery's own side ----------------------------------------------------------------------


@dataclass(frozen=True)
class Birth:
    """What a child is to be."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    fds: dict[int, int]  # wanted number: number now


def keep(control: socket.socket) -> Birth | None:
    """Fork children until nobody asks any more (None); in a child, what it is to be."""
    children: dict[int, int] = {}
    heard, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        readable, _, _ = select.select([control, heard], [], [])
        if heard in readable:
            os.read(heard, 4096)
            _report(control, children)
        if control not in readable:
            continue
        message, fds, _, _ = socket.recv_fds(control, MESSAGE_BYTES, MOST_FDS)
        if not message:
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            return None
        asked = json.loads(message)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            os.close(heard)
            os.close(told)
            wanted = dict(zip(asked["fds"], fds, strict=True))
            return Birth(argv=asked["argv"], env=asked["env"], cwd=asked["cwd"], fds=wanted)
        for fd in fds:
            os.close(fd)
        children[pid] = asked["number"]
        _tell(control, number=asked["number"], pid=pid)
        _report(control, children)


def _for_one_of_many(listener: socket.socket) -> socket.socket:
    """Fork a nursery for each who connects; returns in each of them, with its connection."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how these ended
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            sys.exit()
        control, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            return control
        control.close()


def _report(control: socket.socket, children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        _tell(control, number=children.pop(pid), code=os.waitstatus_to_exitcode(status))


def _tell(control: socket.socket, **message: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        control.send(json.dumps(message).encode())


def live(birth: Birth) -> None:
    """Be the program; returns or raises as it does."""
    os.setsid()
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    os.chdir(birth.cwd)
    waiting = array.array("i")
    for now in birth.fds.values():
        high = HIGH + len(waiting)
        os.dup2(now, high, inheritable=False)
        os.close(now)
        waiting.append(high)
    for wanted, high in zip(birth.fds, waiting, strict=True):
        os.dup2(high, wanted, inheritable=True)
        os.close(high)
    os.environ.clear()
    os.environ.update(birth.env)
    tempfile.tempdir = None
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True)  # type: ignore[union-attr]
    if birth.argv[0] == "-m":
        module, *rest = birth.argv[1:]
        sys.argv = [module, *rest]
        sys.path[0] = birth.cwd
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        script, *rest = birth.argv
        sys.argv = [script, *rest]
        sys.path[0] = str(Path(script).resolve().parent)
        runpy.run_path(script, run_name="__main__")


def main(descriptor: int) -> None:
    """Import, then keep children; in each child, be a program."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=descriptor)
    if control.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        control = _for_one_of_many(control)
    with control:
        birth = keep(control)
    if birth is not None:
        live(birth)


if __name__ == "__main__":
    main(int(sys.argv[1]))
