"""Streamable HTTP towards an upstream: one POST per request, in both protocol eras.

Nothing is ever sent twice: no redirect is followed, no request is retried, and a broken legacy
stream is only ever *read* again. Knows nothing of pools, policies or tickets.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from functools import partial
from typing import Any

import aiohttp

from mcpbridge.upstream import envelope
from mcpbridge.upstream.client.exchange import Exchange, Stale
from mcpbridge.upstream.client.flight import (
    Answer,
    Flight,
    OnLateReply,
    stop,
)
from mcpbridge.upstream.client.handshake import Handshake
from mcpbridge.upstream.client.listening import Stream
from mcpbridge.upstream.client.outgoing import Outgoing
from mcpbridge.upstream.client.reading import reply_of
from mcpbridge.upstream.client.session import UpstreamSession
from mcpbridge.upstream.client.side_messages import SideMessages
from mcpbridge.upstream.errors import (
    OutcomeUnknown,
    RequestFailed,
    Unknown,
    UpstreamUnavailable,
)
from mcpbridge.upstream.negotiation import Agreement
from mcpbridge.upstream.notifications import Wanted
from mcpbridge.upstream.replies import (
    tool_reply,
)
from mcpbridge.upstream.spec import Timeouts, UpstreamSpec

PROBE_SECONDS = 10.0
LATE_SECONDS = 30.0


class HttpSession(UpstreamSession):
    """A session with one Streamable HTTP upstream."""

    def __init__(
        self,
        spec: UpstreamSpec,
        scope: str,
        http: aiohttp.ClientSession,
        *,
        on_late_reply: OnLateReply | None = None,
    ) -> None:
        super().__init__(spec, scope)
        self._http = http
        self._agreement: Agreement | None = None
        self._session_id: str | None = None
        self._ids = itertools.count(1)
        self._stale = False
        self._side = SideMessages(http, spec.url or "", self._headers)
        self._on_late_reply = on_late_reply
        self.last_used = asyncio.get_running_loop().time()

    @property
    def agreement(self) -> Agreement:
        """What the handshake settled."""
        if self._agreement is None:
            raise RuntimeError("the session was used before it was connected")
        return self._agreement

    @property
    def refused_requests(self) -> int:
        """How many requests of the server were refused."""
        return self._side.refused

    @property
    def usable(self) -> bool:
        """Whether a new call may be given to this session."""
        return self._agreement is not None and not self._stale

    async def connect(self) -> None:
        """Negotiate. Raises UpstreamUnavailable."""
        handshake = Handshake(self.spec, self._http, self._side)
        self._agreement = await handshake.run()
        self._session_id = handshake.session_id

    async def still_there(self) -> bool:
        """Ask a legacy session whether it still exists (`ping`); modern ones always do."""
        if self.era == "modern":
            return True
        with contextlib.suppress(RequestFailed, UpstreamUnavailable, TimeoutError):
            async with asyncio.timeout(self.spec.timeouts.connect + PROBE_SECONDS):
                await self._ask("ping", {})
            return not self._stale
        return False

    def _next_id(self) -> int:
        return next(self._ids)

    def _parameter_headers(
        self, schema: Mapping[str, Any] | None, arguments: bytes
    ) -> dict[str, str]:
        return envelope.parameter_headers(schema, arguments) if self.era == "modern" else {}

    async def close(self) -> None:
        """Say goodbye to a legacy session; bounded, and failure does not matter."""
        self._stale = True
        if self._session_id is not None and self._agreement is not None:
            await self._side.say_goodbye()
        await self._side.close()

    async def _send(
        self, sent: Outgoing, *, abort: asyncio.Event | None, timeouts: Timeouts
    ) -> Answer:
        headers = self._headers(method=sent.method, name=sent.name) | dict(sent.headers)
        task = asyncio.create_task(self._exchange(sent.flight, sent.line, headers, timeouts))
        try:
            answer: Answer = await self._follow(
                sent.flight, task, abort=abort, timeouts=timeouts, first_byte=True
            )
            return answer
        finally:
            self.last_used = asyncio.get_running_loop().time()

    async def listen(self, wanted: Wanted, *, opened: asyncio.Event) -> None:
        """Follow one stream of announcements to its end (see UpstreamSession)."""
        line: bytes | None = None
        method = ""
        if self.era == "modern":
            method = "subscriptions/listen"
            line = envelope.request_line(
                request_id=self._next_id(),
                method=method,
                params={"notifications": wanted.filter()},
                meta=envelope.request_meta(
                    self.era, self.protocol_version, extra={}, progress_token=None
                ),
            )
        legacy = self.era == "legacy"
        stream = Stream(
            http=self._http,
            url=self.spec.url or "",
            headers=self._headers(method=method),
            connect=self.spec.timeouts.connect,
            line=line,
            on_announcement=self.announce,
            on_request=self._side.refuse if legacy else self._side.refuse_quietly,
            opened=opened,
        )
        await stream.follow()

    async def _abandon(self, flight: Flight, task: asyncio.Task[Any], reason: Unknown) -> None:
        """Stop waiting: modern closes the stream, legacy says so and listens a little longer."""
        if not flight.departed or self.era == "modern":
            await stop(task)
        if not flight.departed or self.era == "modern":
            return
        self._side.start(self._wind_up(flight, task, reason))

    async def _wind_up(self, flight: Flight, task: asyncio.Task[Any], reason: Unknown) -> None:
        try:
            await self._side.post(
                envelope.notification_line(
                    "notifications/cancelled", {"requestId": flight.id, "reason": reason.value}
                )
            )
            if self._on_late_reply is None and flight.on_late is None:
                return
            await asyncio.wait({task}, timeout=LATE_SECONDS)
            if task.done() and not task.cancelled() and task.exception() is None:
                with contextlib.suppress(OutcomeUnknown):
                    reply = reply_of(task.result(), tool_reply, None)
                    flight.late(reply, self._on_late_reply, self.spec.id)
        finally:
            await stop(task)

    def _headers(self, *, method: str = "", name: str | None = None) -> dict[str, str]:
        agreement = self._agreement
        headers = dict(self.spec.headers)
        if agreement is not None:
            headers |= envelope.routing_headers(
                agreement.era, agreement.version, method=method, name=name
            )
        if self._session_id is not None:
            headers["Mcp-Session-Id"] = self._session_id
        return headers

    async def _exchange(
        self, flight: Flight, line: bytes, headers: dict[str, str], timeouts: Timeouts
    ) -> Answer:
        legacy = self.era == "legacy"
        exchange = Exchange(
            http=self._http,
            url=self.spec.url or "",
            caps=self.spec.caps,
            flight=flight,
            resumable=legacy,
            on_request=(
                partial(self._side.answer, flight.questions)
                if legacy
                else self._side.refuse_quietly
            ),
            on_leftover=self._side.leave_to_drain,
        )
        try:
            return await exchange.run(line, headers, connect=timeouts.connect)
        except Stale as gone:
            if self._session_id is not None:
                self._stale = True
            return gone.answer
