"""A session with an HTTP+SSE upstream (revision 2024-11-05): posts go out, one stream comes back.

Knows what a request's fate is when the stream breaks: whatever was posted is unknown, nothing is
posted again. The stream's caps are the stream's own business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

import aiohttp

from mcpbridge.upstream import envelope
from mcpbridge.upstream.client.event_stream import EventStream
from mcpbridge.upstream.client.exchange import Exchange, named_failures
from mcpbridge.upstream.client.flight import (
    Answer,
    ExchangeFailed,
    Flight,
    HttpRefusal,
    stop,
)
from mcpbridge.upstream.client.handshake import PROBE_SECONDS, refuse_hopeless
from mcpbridge.upstream.client.http import HttpSession
from mcpbridge.upstream.client.side_messages import SideMessages
from mcpbridge.upstream.envelope import Era
from mcpbridge.upstream.errors import Unknown, UpstreamUnavailable
from mcpbridge.upstream.negotiation import negotiate
from mcpbridge.upstream.notifications import ANNOUNCEMENTS, LOG, Wanted
from mcpbridge.upstream.replies import Message
from mcpbridge.upstream.spec import Timeouts

log = logging.getLogger(__name__)

ACCEPTANCE_SECONDS = 2.0
"""How long the response to a post may still come after its answer came on the stream."""
MOST_GIVEN_UP = 1024


class SseSession(HttpSession):
    """One event stream and the posts that belong to it; it lives as long as the stream."""

    _stream: EventStream | None = None
    _listening: asyncio.Task[None] | None = None
    _broken: ExchangeFailed | None = None
    _newest = 0

    @property
    def usable(self) -> bool:
        """Whether the stream still stands."""
        return super().usable and self._broken is None

    async def connect(self) -> None:
        """Open the stream and shake hands. Raises UpstreamUnavailable."""
        self._waiting: dict[int, tuple[Flight, asyncio.Future[Message]]] = {}
        self._given_up: set[int] = set()
        self._stream = await EventStream.open(self.spec, self._http, self._headers())
        self._side = SideMessages(self._http, str(self._stream.endpoint), self._headers)
        self._listening = asyncio.create_task(self._listen(self._stream))
        try:
            self._agreement = await negotiate(
                self._shake_hands,
                self._announce,
                probe=False,
                capabilities=self.spec.questions.capabilities(),
            )
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Give the stream up; calls in flight end as unknown."""
        await super().close()
        if self._listening is not None:
            await stop(self._listening)

    async def listen(self, wanted: Wanted, *, opened: asyncio.Event) -> None:
        """Wait for the stream's end: what the server announces comes on it by itself."""
        opened.set()
        if self._listening is not None:
            await asyncio.wait({self._listening})

    async def _shake_hands(
        self, method: str, params: Mapping[str, Any], era: Era, version: str
    ) -> Message | None:
        if era == "modern":
            return None
        flight = Flight(next(self._ids), None, self.spec.caps.notifications)
        line = envelope.request_line(request_id=flight.id, method=method, params=params, meta={})
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._exchange(flight, line, self._headers(), self.spec.timeouts)
        except TimeoutError:
            raise UpstreamUnavailable(f"the upstream did not answer {method} in time") from None
        except ExchangeFailed as failure:
            raise UpstreamUnavailable(failure.detail) from failure
        if isinstance(answer, HttpRefusal):
            refuse_hopeless(answer)
            return None
        return answer

    @property
    def _patience(self) -> float:
        timeouts = self.spec.timeouts
        return timeouts.connect + min(timeouts.first_byte, PROBE_SECONDS)

    async def _announce(self, method: str, version: str) -> None:
        flight = Flight(0)
        headers = self._headers() | {"MCP-Protocol-Version": version}
        try:
            async with asyncio.timeout(self._patience):
                refusal = await self._post(
                    flight, envelope.notification_line(method), headers, self.spec.timeouts
                )
        except (TimeoutError, ExchangeFailed) as error:
            raise UpstreamUnavailable(f"the upstream broke off at {method}") from error
        if refusal is not None:
            raise UpstreamUnavailable(
                f"the upstream answered {method} with HTTP status {refusal.status}"
            )

    async def _exchange(
        self, flight: Flight, line: bytes, headers: dict[str, str], timeouts: Timeouts
    ) -> Answer:
        """Post the request and wait for its answer on the stream. Raises ExchangeFailed."""
        if self._broken is not None:
            raise self._broken
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[flight.id] = (flight, answer)
        self._newest = max(self._newest, flight.id)
        post = asyncio.create_task(self._post(flight, line, headers, timeouts))
        try:
            both: set[asyncio.Future[Any]] = {post, answer}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() and (refusal := post.result()) is not None:
                return refusal
            return await answer
        finally:
            del self._waiting[flight.id]
            if answer.done() and not answer.cancelled():
                answer.exception()
                self._side.start(_let_end(post))
            else:
                if flight.is_call and flight.departed and len(self._given_up) < MOST_GIVEN_UP:
                    self._given_up.add(flight.id)
                await stop(post)

    async def _post(
        self, flight: Flight, line: bytes, headers: dict[str, str], timeouts: Timeouts
    ) -> HttpRefusal | None:
        """Post a line; None when it was accepted. Raises ExchangeFailed."""
        if self._stream is None:
            raise ExchangeFailed(Unknown.EOF, "there is no stream")
        connect = timeouts.connect
        with named_failures():
            response = await self._http.post(
                self._stream.endpoint,
                data=line,
                headers=headers | Exchange.BODY_HEADERS,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect),
                trace_request_ctx=flight,
            )
        flight.answering = True
        self._side.leave_to_drain(response)
        if response.status < 300:
            return None
        self._stale = self._stale or response.status == 404
        return HttpRefusal(response.status, response.headers.get("Location"))

    async def _listen(self, stream: EventStream) -> None:
        broken = ExchangeFailed(Unknown.EOF, "the session was closed")
        try:
            async for message in stream.messages():
                self._take(message, stream)
        except ExchangeFailed as failure:
            broken = failure
        except Exception as error:
            log.exception("the stream of upstream %s broke unexpectedly", self.spec.name)
            broken = ExchangeFailed(Unknown.MALFORMED, f"broken: {type(error).__name__}")
        finally:
            self._broken = broken
            stream.close()
            for _, answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(broken)

    def _take(self, message: Message, stream: EventStream) -> None:
        """Give a message to whom it belongs. Raises ExchangeFailed where the stream must end."""
        if message.kind == "request":
            flight = self._asking_flight()
            if flight is None:
                self._side.refuse(message)
            else:
                self._side.answer(flight.questions, message)
        elif message.kind == "notification":
            self._take_notification(message)
        elif message.id is not None:
            self._take_answer(message, stream)

    def _take_answer(self, message: Message, stream: EventStream) -> None:
        request_id = message.id
        known = type(request_id) is int and 0 < request_id <= self._newest
        waiting = self._waiting.get(request_id) if type(request_id) is int else None
        if not known or (waiting is not None and not waiting[0].departed):
            raise ExchangeFailed(
                Unknown.WRONG_ID, "the upstream answered a request that was never made"
            )
        if waiting is None or waiting[1].done():
            self._given_up.discard(message.id if type(message.id) is int else 0)
            return  # a late answer, or the same one again
        waiting[0].answering = True
        waiting[1].set_result(message)
        stream.refill()

    def _take_notification(self, message: Message) -> None:
        waiting = self._meant_by(message)
        if waiting is None:
            if message.method in ANNOUNCEMENTS:
                self.announce(message)
        elif not waiting[1].done():
            try:
                waiting[0].notice(message)
            except ExchangeFailed as failure:
                waiting[1].set_exception(failure)

    def _meant_by(self, message: Message) -> tuple[Flight, asyncio.Future[Message]] | None:
        """The request that a notification is about.

        A log message names none: it belongs to a call where only one is under way.
        """
        if message.method == LOG:
            return self._only_call()
        token = (message.body.get("params") or {}).get("progressToken")
        return self._waiting.get(token) if type(token) is int else None

    def _only_call(self) -> tuple[Flight, asyncio.Future[Message]] | None:
        calls = [waiting for waiting in self._waiting.values() if waiting[0].is_call]
        return calls[0] if len(calls) == 1 else None

    def _asking_flight(self) -> Flight | None:
        """The one call that a question can be of; None where that is unclear.

        The stream does not say which call a question belongs to. So there must be one under way,
        and, where agents share the session, none that was given up and may still be running.
        """
        if self._given_up and not self.spec.per_agent_scope:
            return None
        call = self._only_call()
        return call[0] if call is not None else None


async def _let_end(post: asyncio.Task[HttpRefusal | None]) -> None:
    """Let the response to a post come whose answer is there already; it changes nothing."""
    with contextlib.suppress(TimeoutError, ExchangeFailed):
        async with asyncio.timeout(ACCEPTANCE_SECONDS):
            await post
