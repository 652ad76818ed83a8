"""A leash on one child: the program it starts never outlives the process that asked for it.

Run as a script with the standard library alone: ``python leash.py [--watch FD] PARENT -- COMMAND``.
On Linux the kernel kills the program when its parent dies (PR_SET_PDEATHSIG). Elsewhere this script
stays between the two and watches a pipe whose other end only the parent holds.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PARENT_IS_GONE = 137


def main(arguments: Sequence[str]) -> NoReturn:
    """Become the command on its leash, or stay as its leash until it ends."""
    split = arguments.index("--")
    options, command = arguments[:split], list(arguments[split + 1 :])
    parent = int(options[-1])
    if options[0] == "--watch":
        sys.exit(watch(int(options[1]), command))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit(PARENT_IS_GONE)
    os.execvp(command[0], command)  # noqa: S606  # that is this script's job


def watch(pipe: int, command: list[str]) -> int:
    """Run `command`; when `pipe` closes, kill the whole process group, this script included."""
    # The parent signals the group, so the program hears it too; the leash waits for the program.
    signal.signal(signal.SIGTERM, _let_the_program_answer)
    signal.signal(signal.SIGINT, _let_the_program_answer)
    ended_read, ended_write = os.pipe()
    program = subprocess.Popen(command, close_fds=False)
    signal.signal(signal.SIGCHLD, lambda *_: os.write(ended_write, b"."))
    while program.poll() is None:
        ready, _, _ = select.select([pipe, ended_read], [], [], 1.0)
        if pipe in ready and not os.read(pipe, 1):
            os.killpg(0, signal.SIGKILL)
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


def _let_the_program_answer(number: int, frame: object) -> None:
    """The program got the same signal and ends by itself."""


if __name__ == "__main__":
    main(sys.argv[1:])
