"""The pool of upstream sessions: one per process and event loop.

A session is opened once however many ask for it at the same time, reused, replaced when its
upstream's configuration changes, and not tried again at once after a failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

import aiohttp

from approvals.outbound.sockets import (
    CheckedResolver,
    LookUp,
    checked_socket_factory,
    system_look_up,
)
from mcpbridge.upstream.client.exchange import departure_trace
from mcpbridge.upstream.client.flight import Background, OnLateReply
from mcpbridge.upstream.client.handshake import OlderTransport
from mcpbridge.upstream.client.http import HttpSession
from mcpbridge.upstream.client.http_sse import SseSession
from mcpbridge.upstream.client.outgoing import OnAnnouncement
from mcpbridge.upstream.client.session import UpstreamSession
from mcpbridge.upstream.client.stdio import StdioSession
from mcpbridge.upstream.errors import UpstreamUnavailable
from mcpbridge.upstream.spec import UpstreamSpec

__all__ = ["SHARED", "UpstreamPool"]

log = logging.getLogger(__name__)

SHARED = "shared"
PING_AFTER_IDLE = 20.0
FORGET_AFTER_IDLE = 600.0
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
KEEP_ALIVE_SECONDS = 4.0
"""Below the five seconds after which common servers close an idle connection: a request written
into a closing connection would have an unknown outcome."""


@dataclass
class _Slot:
    """What the pool knows about one upstream and scope."""

    spec: UpstreamSpec
    session: UpstreamSession | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    failures: int = 0
    retry_at: float = 0.0
    last_failure: str = ""
    last_used: float = 0.0


class UpstreamPool:
    """Hands out sessions. Create it inside the event loop that uses it."""

    def __init__(
        self,
        *,
        stdio_socket: str | None = None,
        stdio_secret: bytes = b"",
        on_late_reply: OnLateReply | None = None,
        on_announcement: OnAnnouncement | None = None,
        look_up: LookUp = system_look_up,
    ) -> None:
        self._stdio_socket, self._stdio_secret = stdio_socket, stdio_secret
        self._on_late_reply = on_late_reply
        self._on_announcement = on_announcement
        self._look_up = look_up
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._http: dict[bool, aiohttp.ClientSession] = {}
        self._background = Background()
        self._closed = False

    async def session(self, spec: UpstreamSpec, *, scope: str = SHARED) -> UpstreamSession:
        """Return an open session. Raises UpstreamUnavailable: nothing of any call was sent."""
        if self._closed:
            raise UpstreamUnavailable("this process is shutting down")
        if not spec.per_agent_scope:
            scope = SHARED
        slot = self._slot(spec, scope)
        now = asyncio.get_running_loop().time()
        slot.last_used = now
        if slot.spec is spec and (ready := _ready(slot, now)) is not None:
            return ready
        async with slot.lock:
            if slot.spec != spec:
                self._retire(slot)
                slot.spec, slot.failures, slot.retry_at = spec, 0, 0.0
            slot.spec = spec
            if (ready := _ready(slot, now)) is not None:
                return ready
            return await self._open(slot, scope)

    async def close(self) -> None:
        """End every session and connection."""
        self._closed = True
        for slot in self._slots.values():
            if slot.session is not None:
                await slot.session.close()
        self._slots.clear()
        await self._background.close()
        for http in self._http.values():
            await http.close()
        self._http.clear()

    def _slot(self, spec: UpstreamSpec, scope: str) -> _Slot:
        key = (spec.id, scope)
        slot = self._slots.get(key)
        if slot is None:
            self._forget_idle()
            slot = self._slots[key] = _Slot(spec)
        return slot

    def _forget_idle(self) -> None:
        limit = asyncio.get_running_loop().time() - FORGET_AFTER_IDLE
        for key, slot in list(self._slots.items()):
            busy = slot.lock.locked() or (slot.session is not None and slot.session.in_flight)
            if key[1] != SHARED and slot.last_used < limit and not busy:
                self._retire(slot)
                del self._slots[key]

    def _retire(self, slot: _Slot) -> None:
        """Take the session out of use; it is closed when its last call has ended."""
        if slot.session is not None:
            self._background.start(_close_when_idle(slot.session))
            slot.session = None

    async def _open(self, slot: _Slot, scope: str) -> UpstreamSession:
        loop = asyncio.get_running_loop()
        session = slot.session
        if isinstance(session, HttpSession) and session.usable and await session.still_there():
            return session
        self._retire(slot)
        if loop.time() < slot.retry_at:
            raise UpstreamUnavailable(
                slot.last_failure, retry_after=round(slot.retry_at - loop.time(), 3)
            )
        try:
            slot.session = await self._connect_safely(slot.spec, scope)
            slot.session.on_announcement = self._on_announcement
        except UpstreamUnavailable as error:
            slot.failures += 1
            wait = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(slot.failures - 1, 10))
            wait = max(wait, error.retry_after)
            slot.retry_at = loop.time() + wait
            slot.last_failure = error.detail
            log.warning("upstream %s is unavailable: %s", slot.spec.name, error.detail)
            raise UpstreamUnavailable(error.detail, retry_after=wait) from error
        slot.failures, slot.retry_at = 0, 0.0
        return slot.session

    async def _connect_safely(self, spec: UpstreamSpec, scope: str) -> UpstreamSession:
        try:
            return await self._connect(spec, scope)
        except UpstreamUnavailable:
            raise
        except Exception as error:
            log.exception("connecting to upstream %s broke unexpectedly", spec.name)
            raise UpstreamUnavailable(f"connecting failed: {type(error).__name__}") from error

    async def _connect(self, spec: UpstreamSpec, scope: str) -> UpstreamSession:
        if spec.transport == "http":
            try:
                return await self._connect_over_http(HttpSession, spec, scope)
            except OlderTransport as error:
                try:
                    return await self._connect_over_http(SseSession, spec, scope)
                except UpstreamUnavailable as older:
                    raise UpstreamUnavailable(
                        f"{error.detail}; nor does it speak the older HTTP+SSE: {older.detail}"
                    ) from error
        if spec.transport == "sse":
            return await self._connect_over_http(SseSession, spec, scope)
        if self._stdio_socket is None:
            raise UpstreamUnavailable("no stdio host is configured for this process")
        return await StdioSession.open(
            spec,
            scope,
            socket_path=self._stdio_socket,
            secret=self._stdio_secret,
            on_late_reply=self._on_late_reply,
        )

    async def _connect_over_http(
        self, kind: type[HttpSession], spec: UpstreamSpec, scope: str
    ) -> UpstreamSession:
        session = kind(
            spec,
            scope,
            self._http_for(allow_private=spec.allow_private_addresses),
            on_late_reply=self._on_late_reply,
        )
        await session.connect()
        return session

    def _http_for(self, *, allow_private: bool) -> aiohttp.ClientSession:
        http = self._http.get(allow_private)
        if http is None:
            connector = aiohttp.TCPConnector(
                resolver=CheckedResolver(allow_private=allow_private, look_up=self._look_up),
                socket_factory=checked_socket_factory(allow_private=allow_private),
                use_dns_cache=False,
                limit=0,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
            )
            http = self._http[allow_private] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": "placet", "Accept-Encoding": "identity"},
                trace_configs=[departure_trace()],
                trust_env=False,
            )
        return http


def _ready(slot: _Slot, now: float) -> UpstreamSession | None:
    session = slot.session
    if session is None or not session.usable:
        return None
    may_have_expired = (
        isinstance(session, HttpSession)
        and session.era == "legacy"
        and not session.in_flight
        and now - session.last_used > PING_AFTER_IDLE
    )
    return None if may_have_expired else session


async def _close_when_idle(session: UpstreamSession) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(session.spec.timeouts.total):
            await session.idle.wait()
    await session.close()
