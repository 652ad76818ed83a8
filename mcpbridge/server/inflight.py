"""Requests in flight in the sessions of 2025 revisions, by token, session and id.

The SDK overwrites a request whose id is already in flight, and the first one's answer is lost; so
the second is refused. It also tells an explicit cancel apart from a session that just ended.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from mcpbridge.server.exchange import Exchange
from mcpbridge.server.wire import INVALID_REQUEST, Refused, RequestId

type Key = tuple[UUID, str, str]

_TIME_RAN_OUT: Final = re.compile(r"\btim(?:ed|e)[- ]?out\b", re.IGNORECASE)


class InFlight:
    """Which request of which session is being answered right now."""

    def __init__(self) -> None:
        self._exchanges: dict[Key, Exchange] = {}

    def __len__(self) -> int:
        return len(self._exchanges)

    def begin(self, session: str, request_id: RequestId, exchange: Exchange) -> None:
        """Take the id until the exchange is over. Raises Refused (400) while it is taken."""
        key = _key(session, request_id, exchange)
        if key in self._exchanges:
            raise Refused(
                400,
                f"the request id {request_id!r} is still in flight in this session",
                code=INVALID_REQUEST,
                request_id=request_id,
            )
        self._exchanges[key] = exchange
        exchange.on_over(lambda: self._end(key))

    def _end(self, key: Key) -> None:
        self._exchanges.pop(key, None)

    def cancel(self, session: str, request_id: object, *, reason: object, by: Exchange) -> None:
        """Note that the agent itself cancelled a request of its session.

        A client whose patience ended sends the same message, and often the same call again. Then
        the call is left, not taken back.
        """
        found = self._exchanges.get(_key(session, request_id, by))
        if found is not None and not _is_impatience(reason):
            found.cancelled = True


def _is_impatience(reason: object) -> bool:
    """Whether the words of a cancel are those by which official clients say that time ran out."""
    return isinstance(reason, str) and _TIME_RAN_OUT.search(reason) is not None


def _key(session: str, request_id: object, exchange: Exchange) -> Key:
    """The SDK reads 7 and "7" as one id, so both make one key."""
    return exchange.principal.token_id, session, str(request_id)
