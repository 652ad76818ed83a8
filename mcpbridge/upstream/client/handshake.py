"""The handshake with a Streamable HTTP upstream, in whichever era it speaks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import aiohttp

from mcpbridge.upstream import envelope
from mcpbridge.upstream.client.exchange import Exchange, Stale
from mcpbridge.upstream.client.flight import Answer, ExchangeFailed, Flight, HttpRefusal
from mcpbridge.upstream.client.side_messages import SideMessages
from mcpbridge.upstream.envelope import Era
from mcpbridge.upstream.errors import UpstreamUnavailable
from mcpbridge.upstream.negotiation import Agreement, negotiate
from mcpbridge.upstream.replies import Message
from mcpbridge.upstream.spec import UpstreamSpec

PROBE_SECONDS = 10.0
_OLDER_TRANSPORT = frozenset({400, 404, 405})


class OlderTransport(UpstreamUnavailable):
    """The upstream refused `initialize` the way a server of the older transport does.

    2025-11-25, "Backwards Compatibility": then the same URL is asked for an event stream.
    """


class Handshake:
    """One attempt. After `run`, `session_id` is that of a legacy session, if it has one."""

    def __init__(self, spec: UpstreamSpec, http: aiohttp.ClientSession, side: SideMessages) -> None:
        self._spec, self._http, self._side = spec, http, side
        self._ids = itertools.count(1)
        self._may_be_older = False
        self.session_id: str | None = None

    async def run(self) -> Agreement:
        """Negotiate. Raises UpstreamUnavailable."""
        try:
            agreement = await negotiate(
                self._ask, self._announce, capabilities=self._spec.questions.capabilities()
            )
        except UpstreamUnavailable as error:
            if self._may_be_older:
                raise OlderTransport(error.detail) from error
            raise
        if agreement.era == "modern":
            self.session_id = None
        return agreement

    async def _ask(
        self, method: str, params: Mapping[str, Any], era: Era, version: str
    ) -> Message | None:
        flight = Flight(next(self._ids), None, self._spec.caps.notifications)
        meta = envelope.request_meta(era, version, extra={}, progress_token=None)
        line = envelope.request_line(request_id=flight.id, method=method, params=params, meta=meta)
        headers = dict(self._spec.headers)
        if era == "modern":
            headers |= envelope.routing_headers(era, version, method=method, name=None)
        exchange = Exchange(
            http=self._http,
            url=self._spec.url or "",
            caps=self._spec.caps,
            flight=flight,
            resumable=False,
            on_request=self._side.refuse_quietly,
            on_leftover=self._side.leave_to_drain,
        )
        answer: Answer
        try:
            async with asyncio.timeout(self._patience):
                answer = await exchange.run(line, headers, connect=self._spec.timeouts.connect)
        except Stale as gone:
            answer = gone.answer
        except TimeoutError:
            raise UpstreamUnavailable(f"the upstream did not answer {method} in time") from None
        except ExchangeFailed as failure:
            raise UpstreamUnavailable(failure.detail) from failure
        if isinstance(answer, HttpRefusal):
            refuse_hopeless(answer)
            self._may_be_older = method == "initialize" and answer.status in _OLDER_TRANSPORT
            return None
        if method == "initialize":
            self.session_id = exchange.session_id
        return answer

    @property
    def _patience(self) -> float:
        timeouts = self._spec.timeouts
        return timeouts.connect + min(timeouts.first_byte, PROBE_SECONDS)

    async def _announce(self, method: str, version: str) -> None:
        headers = dict(self._spec.headers) | {"MCP-Protocol-Version": version}
        if self.session_id is not None:
            headers["Mcp-Session-Id"] = self.session_id
        try:
            async with (
                asyncio.timeout(self._patience),
                self._http.post(
                    self._spec.url or "",
                    data=envelope.notification_line(method),
                    headers=headers | Exchange.BODY_HEADERS,
                    allow_redirects=False,
                ) as response,
            ):
                if response.status >= 300:
                    raise UpstreamUnavailable(
                        f"the upstream answered {method} with HTTP status {response.status}"
                    )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UpstreamUnavailable(
                f"the upstream broke off at {method}: {type(error).__name__}"
            ) from error


def refuse_hopeless(refusal: HttpRefusal) -> None:
    """Raise UpstreamUnavailable for statuses that no other handshake would change."""
    if refusal.status in (401, 403):
        raise UpstreamUnavailable(
            f"the upstream refuses our credential (HTTP status {refusal.status})"
        )
    if 300 <= refusal.status < 400:
        target = f" to {refusal.location[:200]!r}" if refusal.location else ""
        raise UpstreamUnavailable(
            f"the upstream redirects{target}; redirects are not followed: "
            "configure the final URL if it is the intended one"
        )
