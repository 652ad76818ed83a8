"""The one event stream on which an HTTP+SSE upstream says everything (transport of 2024-11-05).

Opens it, reads where requests are to be posted, then hands out one message after the other within
caps. Knows no request and no session; where it says to post is believed only within its origin.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Final

import aiohttp
from yarl import URL

from mcpbridge.upstream.client.exchange import ENVELOPE_BYTES, named_failures
from mcpbridge.upstream.client.flight import ExchangeFailed, HttpRefusal
from mcpbridge.upstream.client.handshake import PROBE_SECONDS, refuse_hopeless
from mcpbridge.upstream.errors import Unknown, UpstreamUnavailable
from mcpbridge.upstream.replies import Message, read_message
from mcpbridge.upstream.spec import UpstreamSpec
from mcpbridge.upstream.sse import Event, EventParser

WINDOW_SECONDS: Final = 60.0
"""What a stream may send without answering anything is counted anew after so long."""

_ENDPOINT = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,2048}")


class EventStream:
    """An open stream. `endpoint` is where requests go; `refill` after each answer it gave."""

    def __init__(self, spec: UpstreamSpec, response: aiohttp.ClientResponse) -> None:
        self.endpoint = URL()
        self._home = URL(spec.url or "")
        self._cap = spec.caps.result_bytes + ENVELOPE_BYTES
        self._messages_cap = spec.caps.notifications
        self._response = response
        self._parser = EventParser(self._cap)
        self._early: list[Event] = []
        self._window_ends = 0.0
        self.refill()

    @classmethod
    async def open(
        cls, spec: UpstreamSpec, http: aiohttp.ClientSession, headers: Mapping[str, str]
    ) -> EventStream:
        """Open the stream and wait for its first event. Raises UpstreamUnavailable."""
        timeouts = spec.timeouts
        limits = aiohttp.ClientTimeout(
            total=None, connect=timeouts.connect, sock_connect=timeouts.connect
        )
        stream: EventStream | None = None
        try:
            async with asyncio.timeout(timeouts.connect + min(timeouts.first_byte, PROBE_SECONDS)):
                with named_failures():
                    response = await http.get(
                        spec.url or "",
                        headers={**headers, "Accept": "text/event-stream"},
                        allow_redirects=False,
                        timeout=limits,
                    )
                    stream = cls(spec, response)
                    await stream._begin()
        except BaseException as error:
            if stream is not None:
                stream.close()
            if isinstance(error, ExchangeFailed):
                raise UpstreamUnavailable(error.detail) from error
            if isinstance(error, TimeoutError):
                raise UpstreamUnavailable(
                    "the upstream did not open an event stream in time"
                ) from None
            raise
        return stream

    def refill(self) -> None:
        """Start counting anew: an answer came, or time went by."""
        self._bytes_left = 2 * self._cap
        self._messages_left = self._messages_cap
        self._window_ends = asyncio.get_running_loop().time() + WINDOW_SECONDS
        self._parser.forgive()

    def close(self) -> None:
        """Give the stream up."""
        self._response.close()

    async def messages(self) -> AsyncIterator[Message]:
        """Hand out messages until the stream ends. Raises ExchangeFailed, at its end too."""
        with named_failures():
            for event in self._early:
                if (message := self._message(event)) is not None:
                    yield message
            self._early.clear()
            async for chunk in self._response.content.iter_any():
                for event in self._feed(chunk):
                    if (message := self._message(event)) is not None:
                        yield message
        raise ExchangeFailed(Unknown.EOF, "the upstream ended its event stream")

    async def _begin(self) -> None:
        response = self._response
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if response.status != 200:
            refuse_hopeless(HttpRefusal(response.status, response.headers.get("Location")))
            raise ExchangeFailed(
                Unknown.MALFORMED,
                f"the upstream answered HTTP status {response.status} instead of an event stream",
            )
        if kind != "text/event-stream":
            raise ExchangeFailed(
                Unknown.MALFORMED,
                f"the upstream sent content of type {kind[:80]!r} instead of an event stream",
            )
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ExchangeFailed(Unknown.MALFORMED, "the stream is compressed, unasked for")
        async for chunk in response.content.iter_any():
            events = self._feed(chunk)
            if not events:
                continue
            if events[0].event != "endpoint":
                raise ExchangeFailed(
                    Unknown.MALFORMED, "the stream does not begin by naming its endpoint"
                )
            self.endpoint = endpoint_of(self._home, events[0].data)
            self._early = events[1:]
            return
        raise ExchangeFailed(Unknown.EOF, "the stream ended before it named its endpoint")

    def _feed(self, chunk: bytes) -> list[Event]:
        if asyncio.get_running_loop().time() > self._window_ends:
            self.refill()
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            raise ExchangeFailed(Unknown.OVERSIZE, "the event stream sends without end")
        return self._parser.feed(chunk)

    def _message(self, event: Event) -> Message | None:
        if event.event != "message" or not event.data:
            return None
        self._messages_left -= 1
        if self._messages_left < 0:
            raise ExchangeFailed(
                Unknown.OVERSIZE, f"more than {self._messages_cap} messages without an answer"
            )
        return read_message(event.data)


def endpoint_of(home: URL, said: bytes) -> URL:
    """Return where to post. Raises ExchangeFailed for anywhere outside `home`'s own origin."""
    text = said.decode("ascii", "replace")
    try:
        target = home.join(URL(text)) if _ENDPOINT.fullmatch(text) else None
        inside = (
            target is not None
            and _origin(target) == _origin(home)
            and target.user is None
            and target.password is None
        )
    except ValueError:
        target, inside = None, False
    if target is None or not inside:
        raise ExchangeFailed(
            Unknown.MALFORMED,
            f"the upstream wants requests posted to {text[:200]!r}, which is not within its own "
            f"origin {home.origin()}",
        )
    return target.with_fragment(None)


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host, url.port
