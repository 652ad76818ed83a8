"""The process that has made the imports, and forks whoever is born of it; see `nursery`.

It knows no settings and no module of Placet's.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MESSAGE_BYTES: Final = 200_000
MOST_FDS: Final = 16
HIGH: Final = 400  # where descriptors wait until they get the numbers they were asked for


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


def main(descriptor: int, libraries: Sequence[str]) -> None:
    """Import, then keep children; in each child, be a program."""
    for name in libraries:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=descriptor)
    if control.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        control = _for_one_of_many(control)
    birth = keep(control)  # a traceback is written before whoever asks hears that all is over
    control.close()
    if birth is not None:
        live(birth)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
