"""Tokens that this process does not remember: looked up together, one query at a time.

A flood of made-up tokens costs the database one query at a time, whatever its size, and whoever
comes with a good one waits for two of them at most. Knows no wire.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from mcpbridge.calls.principal import Principal
from mcpbridge.offload import in_database
from mcpbridge.server.auth import Authenticator, Found, Verified, check

_IN_ONE_QUERY: Final = 500


class TokenLookups:
    """The look-ups of one event loop."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._waiting: dict[bytes, asyncio.Future[Found]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def principal(self, *, digest: bytes, endpoint: str) -> Principal:
        """The live agent behind the token of that digest, as the rows stand after this was asked.

        Raises Refused (401, 403) and DatabaseError.
        """
        found = await self._found(digest)
        now = datetime.now(UTC)
        principal = check(found, endpoint, now)
        if isinstance(found, Verified) and self._authenticator.use_is_due(digest, now):
            await in_database(self._authenticator.note_use, digest, now)
        return principal

    async def _found(self, digest: bytes) -> Found:
        answer = self._waiting.get(digest)
        if answer is None:
            answer = self._waiting[digest] = asyncio.get_running_loop().create_future()
            answer.add_done_callback(_heard)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="token-lookups")
        return await asyncio.shield(answer)

    async def _read(self) -> None:
        """Answer all who wait; those who ask meanwhile are in the next query."""
        while self._waiting:
            asked = dict(islice(self._waiting.items(), _IN_ONE_QUERY))
            for digest in asked:
                del self._waiting[digest]
            try:
                found = await in_database(self._authenticator.read, list(asked))
            except asyncio.CancelledError:
                for answer in asked.values():
                    answer.cancel()
                raise
            except Exception as problem:  # noqa: BLE001 (each of those who asked raises it)
                for answer in asked.values():
                    answer.set_exception(problem)
            else:
                for digest, answer in asked.items():
                    answer.set_result(found[digest])


def _heard(answer: asyncio.Future[Found]) -> None:
    if not answer.cancelled():
        answer.exception()  # whoever asked has it; nobody may be left
