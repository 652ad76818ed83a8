"""What an upstream says during a request, on its way to the agent whose request it is.

Progress and log messages keep their order; what comes too fast is left out, so that a slow agent
costs no memory. Knows no wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcpbridge.executor.road import Progress
from mcpbridge.upstream.replies import Message

BACKLOG: Final = 64

type SendProgress = Callable[[float, float | None, str | None], Awaitable[None]]
type SendLog = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hears:
    """How an agent hears of its request; None of what it did not ask for."""

    progress: SendProgress | None = None
    log: SendLog | None = None

    def relay(self) -> Relay:
        """A relay for one request. Stop it in the end."""
        return Relay(self)


class Relay:
    """Takes what an upstream says at once and sends it in its own time."""

    def __init__(self, hears: Hears) -> None:
        self._hears = hears
        self._queue: asyncio.Queue[Progress | Mapping[str, Any] | None] = asyncio.Queue(BACKLOG)
        self._task: asyncio.Task[None] | None = None  # from the first word on

    @property
    def on_progress(self) -> Callable[[Progress], None] | None:
        """Takes progress; None where the agent asked for none."""
        return self._take if self._hears.progress is not None else None

    @property
    def on_log(self) -> Callable[[Message], None] | None:
        """Takes log messages; None where the agent asked for none."""
        return self._take_log if self._hears.log is not None else None

    async def finish(self) -> None:
        """Send what is left: nothing of it may follow the result."""
        if self._task is not None:
            await self._queue.put(None)
            await self._task

    def stop(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()

    def _take(self, said: Progress | Mapping[str, Any]) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._pump())
        if not self._queue.full():
            self._queue.put_nowait(said)

    def _take_log(self, message: Message) -> None:
        params = message.body.get("params")
        if isinstance(params, dict):
            self._take(params)

    async def _pump(self) -> None:
        while (said := await self._queue.get()) is not None:
            if isinstance(said, Progress):
                if self._hears.progress is not None:
                    await self._hears.progress(said.progress, said.total, said.message)
            elif self._hears.log is not None:
                await self._hears.log(said)
