"""The SDK's session manager, owned by one task of its own.

Daphne has no lifespan, so the manager starts with the first request; its task has a context of
its own, because whatever the first request's context holds (its trace, its agent) would otherwise
be seen by every later session. Knows no agent and no ticket.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, authorization_context
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from mcpbridge.server.wire import Refused

logger = logging.getLogger(__name__)

SESSION_IDLE_SECONDS = 30 * 60.0
MAX_SESSIONS = 10_000
MOST_OF_ONE_AGENT = 1_000  # so that no agent can use up the sessions of all the others


@dataclass(frozen=True, slots=True)
class HeldSession:
    """A session while one of its requests is open here."""

    id: str
    is_alive: Callable[[], bool]


class Sessions:
    """One running session manager for one event loop. Started at most once."""

    def __init__(self, server: Callable[[], Server], *, max_body_bytes: int) -> None:
        self._server = server
        self._max_body_bytes = max_body_bytes
        self._task: asyncio.Task[None] | None = None  # a lost reference would end it silently
        self._stop = asyncio.Event()
        self._ready: asyncio.Future[StreamableHTTPSessionManager] | None = None

    async def manager(self) -> StreamableHTTPSessionManager:
        """The running manager; the first caller starts it, the others wait for it."""
        if self._ready is None or (self._task is not None and self._task.done()):
            loop = asyncio.get_running_loop()
            self._ready = loop.create_future()
            self._task = loop.create_task(
                self._own(self._ready), name="mcp-sessions", context=contextvars.Context()
            )
        return await asyncio.shield(self._ready)

    def count_of(self, manager: StreamableHTTPSessionManager, agent: str) -> int:
        """How many sessions the agent (the subject of their owner) has open."""
        owners = manager._session_owners.values()  # noqa: SLF001 (the SDK counts all alike)
        return sum(owner["subject"] == agent for owner in owners)

    @contextmanager
    def held(
        self, manager: StreamableHTTPSessionManager, session: str, *, user: AuthenticatedUser
    ) -> Iterator[HeldSession]:
        """The user's session, kept from expiring meanwhile. Raises Refused (404) for any other."""
        transport = manager._server_instances.get(session)  # noqa: SLF001 (as the SDK looks it up)
        owner = manager._session_owners.get(session)  # noqa: SLF001
        if transport is None or owner != authorization_context(user) or transport.is_terminated:
            raise Refused(404, "Session not found")
        transport._requests_in_flight += 1  # noqa: SLF001 (what the SDK does for its own GET)
        if transport.idle_scope is not None:
            transport.idle_scope.deadline = math.inf
        try:
            yield HeldSession(session, lambda: not transport.is_terminated)
        finally:
            transport._requests_in_flight -= 1  # noqa: SLF001
            if transport.idle_scope is not None and not transport._requests_in_flight:  # noqa: SLF001
                transport.idle_scope.deadline = anyio.current_time() + SESSION_IDLE_SECONDS

    async def close(self) -> None:
        """End every session and the owning task."""
        self._stop.set()
        task, self._task = self._task, None
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    async def _own(self, ready: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        manager = StreamableHTTPSessionManager(
            app=self._server(),
            stateless=False,  # a stateless legacy session would ignore notifications/cancelled
            session_idle_timeout=SESSION_IDLE_SECONDS,
            max_sessions=MAX_SESSIONS,
            max_request_body_size=self._max_body_bytes,
        )
        try:
            async with manager.run():
                ready.set_result(manager)
                await self._stop.wait()
        except Exception as problem:
            if not ready.done():
                ready.set_exception(problem)
                return
            logger.exception("The MCP session manager ended; the next request starts another.")
