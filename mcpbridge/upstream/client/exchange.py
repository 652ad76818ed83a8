"""One HTTP exchange: POST a request, read its answer as JSON or as an event stream, within caps.

A legacy stream that ends early may be *read* on by GET with Last-Event-ID (2025-11-25, "Resuming
streams"); the request itself is never sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import ClassVar

import aiohttp

from approvals.outbound.addresses import AddressRefused
from mcpbridge.upstream.client.flight import Answer, ExchangeFailed, Flight, HttpRefusal
from mcpbridge.upstream.errors import Unknown
from mcpbridge.upstream.replies import MalformedMessage, Message, read_message
from mcpbridge.upstream.spec import Caps
from mcpbridge.upstream.sse import EventParser, EventTooLarge

ERROR_BODY_BYTES = 64 * 1024
ENVELOPE_BYTES = 64 * 1024
MAX_RESUMPTIONS = 20
MAX_RESUME_DELAY = 30.0
_SESSION_ID = re.compile(r"[\x21-\x7e]{1,1024}")


class Stale(Exception):
    """HTTP 404: where there was a session, it is gone."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def departure_trace() -> aiohttp.TraceConfig:
    """Return the trace that marks a flight as departed before its first header byte leaves."""
    trace = aiohttp.TraceConfig()

    async def departs(
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        flight = context.trace_request_ctx
        if isinstance(flight, Flight):
            flight.departed = True

    trace.on_request_headers_sent.append(departs)
    return trace


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Turn what can go wrong while reading or writing into ExchangeFailed."""
    try:
        yield
    except EventTooLarge as error:
        raise ExchangeFailed(Unknown.OVERSIZE, str(error)) from None
    except MalformedMessage as error:
        raise ExchangeFailed(Unknown.MALFORMED, str(error)) from None
    except aiohttp.ClientResponseError as error:
        raise ExchangeFailed(Unknown.MALFORMED, f"not HTTP: {error.message[:200]}") from None
    except (aiohttp.ClientError, OSError) as error:
        reason = Unknown.TIMEOUT if isinstance(error, TimeoutError) else Unknown.EOF
        raise ExchangeFailed(reason, _describe(error)) from error


class Exchange:
    """One request and its answer. Use once."""

    BODY_HEADERS: ClassVar[dict[str, str]] = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        url: str,
        caps: Caps,
        flight: Flight,
        resumable: bool,
        on_request: Callable[[Message], None],
        on_leftover: Callable[[aiohttp.ClientResponse], None],
    ) -> None:
        self._http = http
        self._url = url
        self._cap = caps.result_bytes + ENVELOPE_BYTES
        self._stream_left = 2 * self._cap
        self._flight = flight
        self._resumable = resumable
        self._on_request = on_request
        self._on_leftover = on_leftover
        self.session_id: str | None = None

    async def run(self, line: bytes, headers: dict[str, str], *, connect: float) -> Answer:
        """Send and read. Raises ExchangeFailed, or Stale on a 404."""
        timeout = aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect)
        parser = EventParser(self._cap)
        with named_failures():
            response = await self._http.post(
                self._url,
                data=line,
                headers=headers | self.BODY_HEADERS,
                allow_redirects=False,
                timeout=timeout,
                trace_request_ctx=self._flight,
            )
            self._flight.answering = True
            answer = await self._reading(response, parser)
            for _ in range(MAX_RESUMPTIONS):
                if answer is not None:
                    return answer
                answer = await self._resume(parser, headers, timeout)
        raise ExchangeFailed(Unknown.EOF, "the stream keeps ending without an answer")

    async def _reading(
        self, response: aiohttp.ClientResponse, parser: EventParser
    ) -> Answer | None:
        """Read, then give the connection back where it can be used again, else close it."""
        answer: Answer | None = None
        try:
            answer = await self._read(response, parser)
            return answer
        finally:
            if response.content.at_eof():
                response.release()
            elif isinstance(answer, Message):
                self._on_leftover(response)
            else:
                response.close()

    async def _read(self, response: aiohttp.ClientResponse, parser: EventParser) -> Answer | None:
        """Return the answer; None when a resumable stream ended before it came."""
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ExchangeFailed(Unknown.MALFORMED, "the answer is compressed, unasked for")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if response.status >= 300:
            return await self._read_refusal(response, kind)
        found = response.headers.get("Mcp-Session-Id")
        if found is not None and _SESSION_ID.fullmatch(found):
            self.session_id = found
        if response.status == 200 and kind == "application/json":
            return self._own(read_message(await self._body(response, self._cap)))
        if response.status == 200 and kind == "text/event-stream":
            return await self._read_stream(response, parser)
        raise ExchangeFailed(
            Unknown.MALFORMED, f"HTTP status {response.status} with content of type {kind[:80]!r}"
        )

    async def _read_refusal(self, response: aiohttp.ClientResponse, kind: str) -> Answer:
        answer: Answer = HttpRefusal(response.status, response.headers.get("Location"))
        if response.status >= 400 and kind == "application/json":
            try:
                message = read_message(await self._body(response, ERROR_BODY_BYTES))
            except (MalformedMessage, ExchangeFailed, aiohttp.ClientError, OSError):
                message = None
            if (
                message is not None
                and message.kind == "error"
                and message.id in (None, self._flight.id)
            ):
                answer = message
        if response.status == 404:
            raise Stale(answer)
        return answer

    async def _body(self, response: aiohttp.ClientResponse, cap: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > cap:
                raise ExchangeFailed(Unknown.OVERSIZE, f"the answer exceeds {cap} bytes")
            parts.append(chunk)
        return b"".join(parts)

    async def _read_stream(
        self, response: aiohttp.ClientResponse, parser: EventParser
    ) -> Answer | None:
        try:
            async for chunk in response.content.iter_any():
                self._stream_left -= len(chunk)
                if self._stream_left < 0:
                    raise ExchangeFailed(Unknown.OVERSIZE, "the event stream does not end")
                for event in parser.feed(chunk):
                    if event.event == "message" and event.data:
                        answer = self._take(read_message(event.data))
                        if answer is not None:
                            return answer
        except aiohttp.ClientPayloadError:
            if not self._can_resume(parser):
                raise
        if self._can_resume(parser):
            return None
        raise ExchangeFailed(Unknown.EOF, "the stream ended without an answer")

    def _take(self, message: Message) -> Message | None:
        if message.kind in ("response", "error"):
            return self._own(message)
        if message.kind == "request":
            self._on_request(message)
        self._flight.notice(message)
        return None

    def _own(self, message: Message) -> Message:
        if message.kind not in ("response", "error"):
            raise ExchangeFailed(Unknown.MALFORMED, "the answer is not a JSON-RPC response")
        if type(message.id) is not int or message.id != self._flight.id:
            raise ExchangeFailed(Unknown.WRONG_ID, "the answer belongs to another request")
        return message

    def _can_resume(self, parser: EventParser) -> bool:
        return self._resumable and bool(parser.last_id)

    async def _resume(
        self, parser: EventParser, headers: dict[str, str], limits: aiohttp.ClientTimeout
    ) -> Answer | None:
        """Read on in a legacy stream that ended early. Raises ExchangeFailed where one cannot."""
        wished = (parser.retry_ms if parser.retry_ms is not None else 1000) / 1000
        await asyncio.sleep(min(wished, MAX_RESUME_DELAY))
        parser.forget_partial()
        response = await self._http.get(
            self._url,
            headers=headers
            | {"Accept": "text/event-stream", "Last-Event-ID": parser.last_id or ""},
            allow_redirects=False,
            timeout=limits,
        )
        if response.status != 200:
            response.close()
            raise ExchangeFailed(Unknown.EOF, "the broken stream cannot be read on")
        return await self._reading(response, parser)


def _describe(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AddressRefused):
            return str(cause)
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or type(error.os_error).__name__}"
    return f"the connection broke: {type(error).__name__}"
