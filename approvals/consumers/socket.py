"""One browser's connection, from its handshake to its end.

A plain ASGI application: Channels' own consumers would subscribe each socket to the channel layer,
while one subscription serves this whole process. Knows no rows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs

from approvals.consumers import hub as hubs
from approvals.selectors.sights import Sight

logger = logging.getLogger(__name__)

WAITING_MESSAGES: Final = 500  # beyond them the page is told to look at everything
SESSION_OVER: Final = 4401  # the page signs in again
NOT_LISTENING: Final = 1003
MILLISECOND_DIGITS: Final = 13
MARGIN: Final = timedelta(seconds=2)  # between clocks, and from a write to its commit
BROKEN: Final = 1011

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]


class Socket:
    """A listener of the hub."""

    def __init__(self, session_key: str, sight: Sight, receive: Receive, send: Send) -> None:
        self.session_key = session_key
        self.sight = sight
        self._receive = receive
        self._send = send
        self._queue: asyncio.Queue[str] = asyncio.Queue(WAITING_MESSAGES)
        self._missed = False
        self._over: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def tell(self, text: str) -> None:
        """Queue what the browser is told; one that does not keep up is told to look itself."""
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self._missed = True

    def over(self) -> None:
        """The session does not stand any more: the connection ends."""
        self._end(SESSION_OVER)

    def broken(self) -> None:
        """Nobody can say whether the session stands: the browser may connect again."""
        self._end(BROKEN)

    async def serve(self) -> int | None:
        """Ring until the connection ends; the code to close it with, if it is ours to close."""
        work: list[asyncio.Future[int | None]] = [
            self._over,
            asyncio.ensure_future(self._until_closed()),
            asyncio.ensure_future(self._ring()),
        ]
        try:
            ended, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            return _code(ended)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    def _end(self, code: int) -> None:
        if not self._over.done():
            self._over.set_result(code)

    async def _until_closed(self) -> int | None:
        """The code to close with, or None once the browser has gone."""
        message = await self._receive()
        # Nothing is listened to here: decisions are posts.
        return None if message["type"] == "websocket.disconnect" else NOT_LISTENING

    async def _ring(self) -> int | None:
        while True:
            text = await self._queue.get()
            if self._missed:
                self._missed = False
                text = hubs.LOST
            await self._send({"type": "websocket.send", "text": text})


async def doorbell(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of the browsers' sockets: for people who are signed in, nobody else."""
    await receive()  # websocket.connect
    key = getattr(scope.get("session"), "session_key", None)
    sight = (await hubs.standing([key])).get(key) if key else None
    if key is None or sight is None:
        await send({"type": "websocket.close", "code": SESSION_OVER})
        return
    socket = Socket(key, sight, receive, send)
    hubs.hub().join(socket)  # before the page knows that it may stop asking
    try:
        await send({"type": "websocket.accept"})
        since = _since(scope)
        if since is not None:
            await hubs.hub().catch_up(socket, since)
        code = await socket.serve()
    finally:
        hubs.hub().leave(socket)
    if code is not None:
        await send({"type": "websocket.close", "code": code})


def _since(scope: Scope) -> datetime | None:
    """When the page was made that connects for the first time; None where it does not say."""
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("since", [""])[0]
    if not (asked.isascii() and asked.isdigit() and len(asked) <= MILLISECOND_DIGITS):
        return None
    return datetime.fromtimestamp(int(asked) / 1000, UTC) - MARGIN


def _code(ended: set[asyncio.Future[int | None]]) -> int | None:
    """What to close with: what a task says, or that one of them broke."""
    for task in ended:
        problem = task.exception()
        if problem is not None:
            logger.error("A doorbell broke and is closed.", exc_info=problem)
            return BROKEN
    return next(task.result() for task in ended)
