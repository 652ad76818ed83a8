"""The stream on which a Streamable HTTP upstream says what changed, in both protocol eras.

Legacy: a GET of the session. Modern: the response of `subscriptions/listen`, which names what is
wanted. Best effort and bounded: a stream that ends, stays silent or never ends is opened anew by
whoever wants one. Knows nothing of who listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp

from mcpbridge.upstream.errors import RequestFailed
from mcpbridge.upstream.notifications import ACKNOWLEDGED, ANNOUNCEMENTS
from mcpbridge.upstream.replies import MalformedMessage, Message, read_message
from mcpbridge.upstream.sse import EventParser, EventTooLarge

MOST_MESSAGES: Final = 10_000  # of one stream
SILENT_SECONDS: Final = 600.0  # after which a stream is opened anew: the peer may be gone
_EVENT_BYTES: Final = 256 * 1024
_NO_STREAM: Final = frozenset({400, 404, 405, 406, 501})


class NoStream(RequestFailed):
    """The server has no such stream; asking again soon would not change that."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """How one stream is opened and what is done with what it says. Use once.

    `line` is the request whose response the stream is; without it the stream is a GET.
    """

    http: aiohttp.ClientSession
    url: str
    headers: dict[str, str]
    connect: float
    line: bytes | None
    on_announcement: Callable[[Message], None]
    on_request: Callable[[Message], None]
    opened: asyncio.Event

    async def follow(self) -> None:
        """Read until the stream ends. Raises RequestFailed, or NoStream where there is none."""
        limits = aiohttp.ClientTimeout(
            total=None,
            connect=self.connect,
            sock_connect=self.connect,
            sock_read=SILENT_SECONDS,
        )
        try:
            async with self.http.request(
                "GET" if self.line is None else "POST",
                self.url,
                data=self.line,
                headers=self._headers(),
                allow_redirects=False,
                timeout=limits,
            ) as response:
                _check(response)
                if self.line is None:
                    self.opened.set()
                await self._read(response)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise RequestFailed(f"the stream broke: {type(error).__name__}") from error
        except (MalformedMessage, EventTooLarge) as error:
            raise RequestFailed(f"the stream cannot be read: {error}") from error

    def _headers(self) -> dict[str, str]:
        if self.line is None:
            return self.headers | {"Accept": "text/event-stream"}
        return self.headers | {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        parser = EventParser(_EVENT_BYTES)
        messages = 0
        async for chunk in response.content.iter_any():
            for event in parser.feed(chunk):
                if event.event != "message" or not event.data:
                    continue
                messages += 1
                if messages > MOST_MESSAGES or not self._take(read_message(event.data)):
                    return

    def _take(self, message: Message) -> bool:
        """Act on one message; False when it was the last."""
        if message.kind == "request":
            self.on_request(message)
        elif message.kind == "error":
            error = message.body["error"]
            raise NoStream(f"refused: {error['message'][:200]!r} ({error['code']})")
        elif message.kind == "response":
            return False
        elif message.method == ACKNOWLEDGED:
            self.opened.set()
        elif message.method in ANNOUNCEMENTS:
            self.on_announcement(message)
        return True


def _check(response: aiohttp.ClientResponse) -> None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status == 200 and kind == "text/event-stream":
        return
    words = f"HTTP status {response.status} with content of type {kind[:80]!r}"
    if response.status in _NO_STREAM or response.status == 200:
        raise NoStream(words)
    raise RequestFailed(words)
