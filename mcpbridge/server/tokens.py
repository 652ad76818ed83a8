"""Tokens that this process does not remember: looked up together, one query at a time.

A flood of made-up tokens locks nobody out: whoever comes with a good one waits for two queries at
most. Knows no wire.
"""

from __future__ import annotations

from datetime import UTC, datetime

from mcpbridge.calls.principal import Principal
from mcpbridge.offload import in_database
from mcpbridge.server.auth import Authenticator, Found, Verified, check
from mcpbridge.server.together import Together


class TokenLookups:
    """The look-ups of one event loop."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._together: Together[bytes, Found] = Together(self._read, name="token-lookups")

    async def principal(self, *, digest: bytes, endpoint: str) -> Principal:
        """The live agent behind the token of that digest, as the rows stand after this was asked.

        Raises Refused (401, 403) and DatabaseError.
        """
        found = await self._together.find(digest)
        now = datetime.now(UTC)
        principal = check(found, endpoint, now)
        if isinstance(found, Verified) and self._authenticator.use_is_due(digest, now):
            await in_database(self._authenticator.note_use, digest, now)
        return principal

    def _read(self, digests: list[bytes]) -> dict[bytes, Found]:
        return self._authenticator.read(digests)
