"""Look-ups of many requests, one query at a time: whoever asks meanwhile is in the next query.

A flood costs the database one query at a time, whatever its size, and nobody waits for more than
two of them. Each gets what was read after it had asked. Knows nothing of what is looked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from itertools import islice
from typing import Final

from mcpbridge.offload import in_database

IN_ONE_QUERY: Final = 500


class Together[K: Hashable, V]:
    """The look-ups of one kind of one event loop. `read` has an answer for every key."""

    def __init__(self, read: Callable[[list[K]], Mapping[K, V]], *, name: str) -> None:
        self._read = read
        self._name = name
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def find(self, key: K) -> V:
        """What is there now. Raises what the reading raised."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            answer.add_done_callback(_heard)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all(), name=self._name)
        return await asyncio.shield(answer)

    async def _read_all(self) -> None:
        """Answer all who wait; those who ask meanwhile are in the next query."""
        while self._waiting:
            asked = dict(islice(self._waiting.items(), IN_ONE_QUERY))
            for key in asked:
                del self._waiting[key]
            try:
                found = await in_database(self._read, list(asked))
            except asyncio.CancelledError:
                for answer in asked.values():
                    answer.cancel()
                raise
            except Exception as problem:  # noqa: BLE001 (each of those who asked raises it)
                for answer in asked.values():
                    answer.set_exception(problem)
            else:
                for key, answer in asked.items():
                    answer.set_result(found[key])


def _heard[V](answer: asyncio.Future[V]) -> None:
    if not answer.cancelled():
        answer.exception()  # whoever asked has it; nobody may be left
