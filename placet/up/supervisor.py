"""The process over the others: starts them, restarts what ends, stops them all.

Knows programs and processes; knows nothing of what they do.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from placet.up.children import Child
from placet.up.programs import Program

FIRST_PAUSE = 0.5  # seconds before the first restart; doubled for each further one
LONGEST_PAUSE = 30.0
GOOD_RUN = 30.0  # a program that ran this long starts again with the first pause
ENDS_BEFORE_READY = 3  # a program that ends so often before anything was ready will not recover
LOG_BYTES = 20 * 1024 * 1024
LOG_LOOK = 30.0  # seconds


class GaveUp(Exception):
    """A program ended again and again before the installation was ready."""


class Supervisor:
    """Keeps a set of programs running until it is told to stop."""

    def __init__(self, *, env: Mapping[str, str], logs: Path, say: Callable[[str], None]) -> None:
        self.env = env
        self.logs = logs
        self.say = say
        self.stopping = asyncio.Event()
        self.ready = False
        self._children: list[Child] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._failure: str | None = None

    def catch_signals(self) -> None:
        """SIGINT, SIGTERM and SIGHUP end everything in good order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stopping.set)

    async def keep(self, program: Program) -> None:
        """Start `program` and keep it running from now on."""
        child = Child(program, env=self.env, log=self.logs / f"{program.name}.log")
        self._children.append(child)
        await child.start()
        self._keepers.append(asyncio.create_task(self._keep(child), name=program.name))

    async def start_once(self, program: Program) -> None:
        """Start `program` and let it end when it is done."""
        child = Child(program, env=self.env, log=self.logs / f"{program.name}.log")
        self._children.append(child)
        await child.start()
        self._keepers.append(asyncio.create_task(self._bury(child), name=program.name))

    async def wait_until(self, look: Callable[[], bool], *, within: float) -> bool:
        """Whether `look` came true before `within` seconds were over or all was stopped."""
        until = time.monotonic() + within
        while not self.stopping.is_set() and time.monotonic() < until:
            if await asyncio.to_thread(look):
                return True
            await self._pause(0.1)
        return False

    async def run(self) -> None:
        """Wait for the end; then stop every program. Raises GaveUp."""
        trimmer = asyncio.create_task(self._trim_logs())
        await self.stopping.wait()
        trimmer.cancel()
        await self.stop()
        if self._failure:
            raise GaveUp(self._failure)

    async def stop(self) -> None:
        """Stop the programs, last started first; those started before may still be needed."""
        self.stopping.set()
        first, others = self._children[:1], self._children[1:]
        await asyncio.gather(*(child.stop() for child in others))
        for child in first:
            await child.stop()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, child: Child) -> None:
        pause, ends = FIRST_PAUSE, 0
        while True:
            started = time.monotonic()
            code = await child.ended()
            if self.stopping.is_set():
                return
            ends += 1
            if not self.ready and ends >= ENDS_BEFORE_READY:
                self._give_up(child, code)
                return
            if time.monotonic() - started > GOOD_RUN:
                pause = FIRST_PAUSE
            name = child.program.name
            self.say(f"{name} ended ({_how(code)}); starts again in {pause:g} s. See {child.log}")
            await self._pause(pause)
            if self.stopping.is_set():
                return
            pause = min(pause * 2, LONGEST_PAUSE)
            await child.start()

    async def _bury(self, child: Child) -> None:
        code = await child.ended()
        if code and not self.stopping.is_set():
            self.say(f"{child.program.name} ended ({_how(code)}). See {child.log}")

    def _give_up(self, child: Child, code: int) -> None:
        tail = child.log.read_text("utf-8", errors="replace")[-2000:] if child.log.exists() else ""
        self._failure = f"{child.program.name} does not start ({_how(code)}):\n{tail}"
        self.stopping.set()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return

    async def _trim_logs(self) -> None:
        while not self.stopping.is_set():
            for log in self.logs.glob("*.log"):
                await asyncio.to_thread(trim, log)
            await self._pause(LOG_LOOK)


def trim(log: Path, *, limit: int = LOG_BYTES) -> None:
    """Move a log's content to ``.1`` when it exceeds `limit` bytes; its writers only append."""
    if log.stat().st_size <= limit:
        return
    with log.open("r+b") as source, log.with_suffix(".log.1").open("wb") as old:
        while chunk := source.read(1024 * 1024):
            old.write(chunk)
        source.truncate(0)


def _how(code: int) -> str:
    if code < 0:
        return f"by {signal.Signals(-code).name}"
    return f"with exit code {code}"
