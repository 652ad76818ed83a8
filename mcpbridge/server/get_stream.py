"""The stream of a session of the 2025 revisions: a GET that stays open and says what changed.

Ours from end to end: the SDK's would let a reader that stopped reading hold up the answers of its
session. It is bound to its session like every request, holds it open, and ends with it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from mcpbridge.server.exchange import Exchange
from mcpbridge.server.listening import ListeningSessions
from mcpbridge.server.sessions import HeldSession
from mcpbridge.server.subscriptions import (
    KINDS,
    PACE_SECONDS,
    AgentStream,
    Said,
    Subscriptions,
    TooManyStreams,
)
from mcpbridge.server.wire import Headers, Receive, Refused, Send, header

ALIVE_SECONDS: Final = 15.0
_EVENT_STREAM: Final = "text/event-stream"


def check_get(headers: Headers) -> None:
    """Refuse a GET that opens no stream: of the newer revision (405), or of other media (406)."""
    version = header(headers, "mcp-protocol-version")
    if version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS:
        raise Refused(405, "this revision has no GET; use POST", headers={"Allow": "POST"})
    accepted = (header(headers, "accept") or "").lower()
    if _EVENT_STREAM not in accepted and "*/*" not in accepted:
        raise Refused(406, f"a GET opens a stream: it must accept {_EVENT_STREAM}")
    if header(headers, "mcp-session-id") is None:
        raise Refused(400, "a GET needs the session that an initialize request has opened")


class GetStreams:
    """The GET streams of one event loop."""

    def __init__(self, subscriptions: Subscriptions, sessions: ListeningSessions) -> None:
        self._subscriptions = subscriptions
        self._sessions = sessions

    async def serve(
        self, exchange: Exchange, held: HeldSession, receive: Receive, send: Send
    ) -> None:
        """Say what changes until the agent leaves, or may hear no more. Raises Refused."""
        wishes = self._sessions.of(held.id, agent=exchange.principal.agent_id)
        if wishes.stream is not None:
            raise Refused(409, "this session has a stream already; there is one for each session")
        try:
            stream = self._subscriptions.open(
                exchange.principal, upstream=exchange.upstream, is_alive=held.is_alive
            )
        except TooManyStreams as many:
            raise Refused(429, str(many), headers={"Retry-After": "60"}) from None
        wishes.stream = stream
        leaving = asyncio.create_task(_left(receive))
        leaving.add_done_callback(lambda _: stream.end())
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [
                        (b"content-type", b"text/event-stream"),
                        (b"cache-control", b"no-cache, no-transform"),
                        (b"x-content-type-options", b"nosniff"),
                        (b"mcp-session-id", held.id.encode("ascii")),
                    ],
                }
            )
            await stream.want(kinds=KINDS, uris=wishes.uris)
            await self._say(stream, send)
        finally:
            wishes.stream = None
            stream.close()
            leaving.cancel()
            if not held.is_alive():
                self._sessions.forget(held.id, agent=exchange.principal.agent_id)
        if not exchange.gone:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _say(self, stream: AgentStream, send: Send) -> None:
        while True:
            try:
                async with asyncio.timeout(ALIVE_SECONDS):
                    batch = await stream.batch()
            except TimeoutError:
                await _write(send, b": still here\r\n\r\n")
                continue
            if batch is None:
                return
            await _write(send, b"".join(_event(said) for said in batch))
            await asyncio.sleep(PACE_SECONDS)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _event(said: Said) -> bytes:
    message: dict[str, object] = {"jsonrpc": "2.0", "method": said.method}
    if said.params:
        message["params"] = dict(said.params)
    spelled = json.dumps(message, separators=(",", ":")).encode("ascii")
    return b"event: message\r\ndata: " + spelled + b"\r\n\r\n"
