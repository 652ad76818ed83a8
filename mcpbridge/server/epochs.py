"""The gate's epoch for many requests at once.

Each request gets a value that was read after it had asked, so nothing is believed longer than if
every request read the row itself; those that ask while a read is under way share the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcpbridge import approvals_gateway as gateway
from mcpbridge.offload import in_database


class Epochs:
    """Reads of one event loop."""

    def __init__(self, read: Callable[[], int] = gateway.epoch) -> None:
        self._read = read
        self._running: asyncio.Task[int] | None = None
        self._next: asyncio.Task[int] | None = None

    async def current(self) -> int:
        """The epoch now. Raises DatabaseError."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
            self._next.add_done_callback(_heard)
        return await asyncio.shield(self._next)

    async def _after(self, running: asyncio.Task[int] | None) -> int:
        if running is not None:
            await asyncio.wait({running})
        self._running, self._next = self._next, None  # who asks from here on gets a later read
        return await in_database(self._read)


def _heard(task: asyncio.Task[int]) -> None:
    if not task.cancelled():
        task.exception()  # whoever asked has it; nobody may be left
