"""Starting, watching and stopping one child process, with everything that it starts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from placet.up.programs import ROOT, Program

LEASH = str(Path(__file__).with_name("leash.py"))


class Child:
    """One program as a process with a session (hence a process group) of its own."""

    def __init__(
        self, program: Program, *, env: Mapping[str, str], log: Path, use_pipe: bool | None = None
    ) -> None:
        self.program = program
        self.env = env
        self.log = log
        self.use_pipe = sys.platform != "linux" if use_pipe is None else use_pipe
        self.process: asyncio.subprocess.Process | None = None
        self._held: int | None = None  # the pipe's end that only this process holds

    async def start(self) -> None:
        """Start it on its leash, its output at the end of the log."""
        interpreter = [sys.executable, "-I", "-S", LEASH]
        leash = [str(os.getpid()), "--"]
        pass_fds = self.program.pass_fds
        watched: int | None = None
        if self.use_pipe:
            watched, self._held = os.pipe()
            leash = ["--watch", str(watched), *leash]
            pass_fds = (*pass_fds, watched)
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = await asyncio.create_subprocess_exec(
                *interpreter,
                *leash,
                *self.program.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=None if self.program.to_terminal else descriptor,
                stderr=descriptor,
                env=dict(self.env),
                cwd=ROOT,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
            if watched is not None:
                os.close(watched)

    async def ended(self) -> int:
        """Wait until it has ended; returns its exit code after the rest of its group is gone."""
        if self.process is None:
            return 0
        code = await self.process.wait()
        self._signal_group(signal.SIGKILL)  # what it left behind in its group
        self._release()
        return code

    async def stop(self) -> None:
        """Ask it to stop; after its grace, make it."""
        if self.process is None or self.process.returncode is not None:
            return
        self._signal_group(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.program.grace):
                await self.process.wait()
        except TimeoutError:
            self._signal_group(signal.SIGKILL)
            await self.process.wait()
        self._signal_group(signal.SIGKILL)
        self._release()

    def _signal_group(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def _release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None
