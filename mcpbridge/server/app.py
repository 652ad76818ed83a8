"""The raw ASGI application of the agents' face: `/mcp`, `/mcp/u/<upstream>` and its metadata.

It stands beside Django, because a held call inside Django's request cycle would keep a thread and
a database connection. In order: room, host and origin, method, size, token, strict JSON, and only
then the SDK. Runs unchanged under Daphne and uvicorn.
"""

from __future__ import annotations

import asyncio
import logging
import re
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

from django.db import DatabaseError
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from mcpbridge import conf, records
from mcpbridge.calls.principal import Principal
from mcpbridge.catalog import catalog
from mcpbridge.executor.inflight import in_flight as under_way
from mcpbridge.server import edge
from mcpbridge.server.auth import (
    METADATA_PATH,
    SCOPE,
    Authenticator,
    protected_resource,
    token_digest,
)
from mcpbridge.server.capacity import Capacity
from mcpbridge.server.epochs import Epochs
from mcpbridge.server.exchange import SCOPE_KEY, Exchange
from mcpbridge.server.get_stream import GetStreams, check_get
from mcpbridge.server.handlers import Handlers
from mcpbridge.server.inflight import InFlight
from mcpbridge.server.sessions import MOST_OF_ONE_AGENT, Sessions
from mcpbridge.server.tokens import TokenLookups
from mcpbridge.server.waiting import Waiters
from mcpbridge.server.wire import (
    INTERNAL_ERROR,
    AgentGone,
    Receive,
    Refused,
    Scope,
    Send,
    answer_json,
    answer_refusal,
    header,
)

logger = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 1.0  # for each part, when the process is about to end
_TICK: Final = 0.02
_ENDPOINT: Final = re.compile(r"/mcp(?:/u/[-a-zA-Z0-9_]{1,40})?/?\Z")


class Face:
    """The agents' face in one event loop."""

    def __init__(self) -> None:
        self._closing = False
        self.capacity = Capacity()
        self.authenticator = Authenticator()
        self.lookups = TokenLookups(self.authenticator)
        self.epochs = Epochs()
        self.waiters = Waiters()
        self.in_flight = InFlight()
        self.handlers = Handlers(self.waiters)
        self.direct = self.handlers.direct()
        parts = self.handlers.parts
        self.subscriptions = parts.subscriptions
        self.streams = GetStreams(parts.subscriptions, parts.listening)
        self.sessions = Sessions(self.handlers.server, max_body_bytes=conf.max_body_bytes())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            if self._closing:
                raise Refused(
                    503,
                    "this process is about to end; nothing was executed, send it again",
                    headers={"Retry-After": "2", "Connection": "close"},
                )
            with self.capacity.one():
                await self._answer(scope, receive, send)
        except Refused as refused:
            await answer_refusal(send, refused)
        except AgentGone:
            logger.debug("An agent closed its connection before its request was complete.")

    async def close(self) -> None:
        """Let go of everything, of the lease on the held calls first; newcomers are refused."""
        self._closing = True
        self.handlers.close()
        parts = (
            self.waiters.release,
            self.subscriptions.close,
            self.sessions.close,
            self.waiters.close,
        )
        for part in parts:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await part()
            except (DatabaseError, TimeoutError) as problem:
                logger.warning(
                    "At the end, %s did not do its work (%r).", part.__qualname__, problem
                )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        edge.check_once(headers)
        edge.check_host(headers, conf.allowed_hosts())
        edge.check_origin(headers, conf.allowed_origins())
        path = scope["path"]
        if path == METADATA_PATH or path.startswith(METADATA_PATH + "/"):
            await _answer_metadata(scope, send)
            return
        if not _ENDPOINT.match(path):
            raise Refused(404, "there are two kinds of endpoint here: /mcp and /mcp/u/<upstream>")
        edge.check_method(scope["method"])
        place = path.rstrip("/")
        digest = token_digest(headers, place)
        believed = self._believed(digest, place)
        principal = believed or await self._principal(digest, place)
        with self.capacity.share(principal.agent_id):
            arrived = await self._arrived(scope, receive)
            call = self.direct.call_in(scope, arrived)
            if believed is not None and (call is None or not call.is_plain):
                principal, believed = await self._principal(digest, place), None
            exchange = Exchange(
                principal=principal,
                upstream=place.removeprefix("/mcp").removeprefix("/u/") or None,
                arrived=arrived,
            )
            if call is not None:
                confirm = partial(self._principal, digest, place) if believed is not None else None
                await self.direct.serve(call, exchange, receive, send, confirm=confirm)
            else:
                self._admit(scope, exchange)
                await self._serve(scope, receive, send, exchange=exchange, place=place)

    async def _arrived(self, scope: Scope, receive: Receive) -> edge.Arrived:
        """The message of a verified agent, read strictly. Raises Refused."""
        headers = scope["headers"]
        if scope["method"] == "GET":
            check_get(headers)
        limit = conf.max_body_bytes()
        if scope["method"] != "POST":
            return edge.Arrived(await edge.read_body(headers, receive, limit), {})
        edge.check_media(headers)
        raw = await edge.read_body(headers, receive, limit)
        arrived = edge.read_message(raw, max_bytes=limit)
        edge.check_revision(headers, arrived)
        return arrived

    def _believed(self, digest: bytes, place: str) -> Principal | None:
        """Whose token this was at the epoch that the catalogue knows; None where none is."""
        if self.waiters.holder is None:
            return None
        epoch = catalog.catalog().known_epoch
        return self.authenticator.believed(digest=digest, endpoint=place, epoch=epoch)

    async def _principal(self, digest: bytes, place: str) -> Principal:
        """Whose token this is, by the rows of the epoch of now. Raises Refused."""
        try:
            epoch = await self.epochs.current()
            principal = self.authenticator.recall(digest=digest, endpoint=place, epoch=epoch)
            if principal is None:
                principal = await self.lookups.principal(digest=digest, endpoint=place)
            await self.waiters.start()
        except DatabaseError:
            logger.exception("A request was refused: the database does not answer.")
            raise Refused(
                503,
                "the database does not answer; nothing was executed",
                code=INTERNAL_ERROR,
                headers={"Retry-After": "2"},
            ) from None
        return principal

    def _admit(self, scope: Scope, exchange: Exchange) -> None:
        """Keep a session's ids apart; note explicit cancels before the SDK acts on them."""
        session = header(scope["headers"], edge.SESSION_HEADER)
        if session is None:
            return
        agent = exchange.principal.agent_id
        exchange.session = session
        exchange.log_level = self.handlers.parts.levels.of(session, agent=agent)
        arrived = exchange.arrived
        if arrived.request_id is not None:
            self.in_flight.begin(session, arrived.request_id, exchange)
        elif arrived.method == "notifications/cancelled":
            given = arrived.params
            self.in_flight.cancel(
                session, given.get("requestId"), reason=given.get("reason"), by=exchange
            )

    def _require_room(self, manager: StreamableHTTPSessionManager, exchange: Exchange) -> None:
        """Refuse (429) one more session to an agent that has more than its share of them."""
        if exchange.arrived.method != "initialize":
            return
        agent = str(exchange.principal.agent_id)
        if self.sessions.count_of(manager, agent) >= MOST_OF_ONE_AGENT:
            raise Refused(
                429,
                f"this agent has {MOST_OF_ONE_AGENT} sessions open, as many as it may; end some",
                headers={"Retry-After": "60"},
                request_id=exchange.arrived.request_id,
            )

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, *, exchange: Exchange, place: str
    ) -> None:
        inner = dict(scope)
        inner[SCOPE_KEY] = exchange
        inner["user"] = AuthenticatedUser(_owner(exchange.principal, place))
        try:
            manager = await self.sessions.manager()
            if scope["method"] == "GET":
                session = header(scope["headers"], edge.SESSION_HEADER) or ""
                with self.sessions.held(manager, session, user=inner["user"]) as held:
                    await self.streams.serve(
                        exchange, held, exchange.receiving(receive), exchange.sending(send)
                    )
                return
            if header(scope["headers"], edge.SESSION_HEADER) is None:
                self._require_room(manager, exchange)
            await manager.handle_request(inner, exchange.receiving(receive), exchange.sending(send))
        finally:
            exchange.responded()


def _owner(principal: Principal, place: str) -> AccessToken:
    """What a session is bound to: this token, at this endpoint. Holds no secret."""
    return AccessToken(
        token="",
        client_id=f"{principal.token_id} {place}",
        scopes=[SCOPE],
        subject=str(principal.agent_id),
    )


async def _answer_metadata(scope: Scope, send: Send) -> None:
    if scope["method"] not in {"GET", "HEAD"}:
        raise Refused(405, "only GET is served here", headers={"Allow": "GET, HEAD"})
    document = protected_resource(scope["path"])
    if document is None:
        raise Refused(404, "no such protected resource; there is /mcp and /mcp/u/<upstream>")
    await answer_json(send, 200, document)


_faces: WeakKeyDictionary[asyncio.AbstractEventLoop, Face] = WeakKeyDictionary()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request of an agent, by the face of the running event loop."""
    loop = asyncio.get_running_loop()
    face = _faces.get(loop)
    if face is None:
        face = _faces[loop] = Face()
    await face(scope, receive, send)


async def close() -> None:
    """End what the face of the running event loop holds; the server is about to stop.

    Held calls count as left from now on, so that another process or their grace takes over;
    allowed calls under way are aborted and recorded. Takes a few seconds at most.
    """
    face = _faces.get(asyncio.get_running_loop())
    if face is None:
        return
    calls = under_way()
    calls.abort_all()
    await face.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            while len(calls):  # noqa: ASYNC110 (for a second at most, once in a process's life)
                await asyncio.sleep(_TICK)
            await catalog.close()
            await asyncio.to_thread(records.shutdown)  # some servers end by a signal: no atexit
    except TimeoutError:
        logger.warning("%d calls were still under way at the end.", len(calls))
