"""Prompts, resources and resource templates as upstreams list them, remembered for a moment.

A list is read at most once at a time, and believed until its time is over or the upstream says
that it changed. Nothing is pinned here: what is read of a resource or prompt is judged by policy
when it is asked for. Decides nothing about policy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

from mcpbridge import conf
from mcpbridge.calls.addresses import MAX_URI
from mcpbridge.catalog.snapshot import Source
from mcpbridge.upstream.client import UpstreamSession
from mcpbridge.upstream.errors import RequestFailed, UpstreamUnavailable

logger = logging.getLogger(__name__)

type Kind = Literal["prompts", "resources", "templates"]
type OpenSession = Callable[[Source, UUID | None], Awaitable[UpstreamSession]]

MOST: Final = 10_000  # items of one list
FRESH_SECONDS: Final = 2.0  # how old a list may be that an agent asks for, unless it says more
LONGEST_TTL_MS: Final = 60_000
_REMEMBERED: Final = 200  # lists
_LARGEST: Final = 1024 * 1024  # bytes of a list that is remembered
_METHODS: Final[dict[Kind, tuple[str, str, str, str]]] = {
    # method, key of its items, the capability it belongs to, what names an item
    "prompts": ("prompts/list", "prompts", "prompts", "name"),
    "resources": ("resources/list", "resources", "resources", "uri"),
    "templates": ("resources/templates/list", "resourceTemplates", "resources", "uriTemplate"),
}


class OfferUnreadable(Exception):
    """An upstream's list of prompts or resources cannot be read now."""

    def __init__(self, upstream: str, detail: str) -> None:
        super().__init__(f"what upstream {upstream!r} offers cannot be read: {detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One list as its upstream wrote it. `ttl_ms` is how long it may be believed."""

    source: Source
    items: tuple[dict[str, Any], ...] = field(repr=False)
    ttl_ms: int = 0
    read_at: float = 0.0


type _Key = tuple[UUID, bytes, str, Kind]


class Offers:
    """The lists of one event loop."""

    def __init__(self, open_session: OpenSession, scope_of: Callable[[Source, UUID], str]) -> None:
        self._open_session = open_session
        self._scope_of = scope_of
        self._known: dict[_Key, Offer] = {}
        self._reading: dict[_Key, asyncio.Task[Offer]] = {}
        self._capabilities: dict[tuple[UUID, bytes], frozenset[str]] = {}

    async def read(
        self, source: Source, kind: Kind, *, agent_id: UUID, within: float = FRESH_SECONDS
    ) -> Offer:
        """What the upstream lists, read at most `within` seconds ago. Raises OfferUnreadable."""
        key: _Key = (source.id, source.digest, self._scope_of(source, agent_id), kind)
        found = self._known.get(key)
        now = asyncio.get_running_loop().time()
        if found is not None and now - found.read_at < max(within, found.ttl_ms / 1000):
            return found
        running = self._reading.get(key)
        if running is None:
            running = asyncio.create_task(self._read(source, kind, key, agent_id))
            self._reading[key] = running
            running.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(running)

    async def known(self, source: Source, kind: Kind, *, agent_id: UUID) -> Offer:
        """The same for finding out whose a name is: an older list will do."""
        return await self.read(source, kind, agent_id=agent_id, within=conf.catalog_seconds())

    def lacks(self, source: Source, capability: str) -> bool:
        """Whether the upstream is known not to have a capability."""
        known = self._capabilities.get((source.id, source.digest))
        return known is not None and capability not in known

    def note_capabilities(self, source: Source, session: UpstreamSession) -> None:
        """Remember what a session was told that the upstream can."""
        self._capabilities[source.id, source.digest] = frozenset(session.capabilities)

    def changed(self, upstream_id: UUID, kinds: tuple[Kind, ...]) -> None:
        """The upstream says that its lists changed."""
        for key in [key for key in self._known if key[0] == upstream_id and key[3] in kinds]:
            del self._known[key]

    async def close(self) -> None:
        """End the readings under way and forget everything."""
        tasks = list(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._known.clear()

    def _ended(self, key: _Key, task: asyncio.Task[Offer]) -> None:
        self._reading.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may have waited

    async def _read(self, source: Source, kind: Kind, key: _Key, agent_id: UUID) -> Offer:
        method, items_key, capability, name = _METHODS[kind]
        began = asyncio.get_running_loop().time()
        try:
            session = await self._open_session(source, agent_id)
            self.note_capabilities(source, session)
            if capability not in session.capabilities:
                return self._remember(key, Offer(source=source, items=(), read_at=began))
            listed = await session.list_all(method, items_key, most=MOST)
        except UpstreamUnavailable as error:
            raise OfferUnreadable(source.name, error.detail) from error
        except RequestFailed as error:
            if kind == "templates":  # many servers have resources and do not know this method
                logger.info("%s has no resource templates: %s", source.name, error)
                return self._remember(key, Offer(source=source, items=(), read_at=began))
            raise OfferUnreadable(source.name, str(error)) from error
        items = tuple(item for item in listed.items if _is_named(item, name))
        if len(items) < len(listed.items):
            left_out = len(listed.items) - len(items)
            logger.warning("%s: %d items without a usable %s.", source.name, left_out, name)
        ttl_ms = min(listed.ttl_ms or 0, LONGEST_TTL_MS)
        offer = Offer(source=source, items=items, ttl_ms=ttl_ms, read_at=began)
        return self._remember(key, offer) if listed.size <= _LARGEST else offer

    def _remember(self, key: _Key, offer: Offer) -> Offer:
        self._known[key] = offer
        while len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return offer


def _is_named(item: dict[str, Any], name: str) -> bool:
    given = item.get(name)
    return isinstance(given, str) and 0 < len(given) <= MAX_URI
