"""The catalogue of one process: tool lists that are fresh, and the sessions to read them with.

One per event loop. Its snapshot of the rows is good for one epoch of the gate, a tool list that
was read for `conf.catalog_seconds()`. Whoever calls a tool asks for both first, and a list that
cannot be read refuses the call. Decides nothing about policy.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from mcpbridge import conf
from mcpbridge.calls.principal import Principal
from mcpbridge.catalog.announcements import Announcements
from mcpbridge.catalog.offers import Offers
from mcpbridge.catalog.recording import ListRefused, record_failure, record_list
from mcpbridge.catalog.snapshot import (
    CatalogTool,
    Snapshot,
    Source,
    load_snapshot,
    load_source,
)
from mcpbridge.catalog.verdicts import Verdicts
from mcpbridge.offload import in_database
from mcpbridge.upstream.client import UpstreamPool, UpstreamSession
from mcpbridge.upstream.errors import RequestFailed, UpstreamUnavailable
from mcpbridge.upstream.replies import Message
from mcpbridge.upstream.spec import UpstreamSpec

logger = logging.getLogger(__name__)

LISTING: Final = "listing"  # the scope in which a per-agent upstream is read without an agent


class CatalogUnreadable(Exception):
    """The upstream's tool list cannot be read; nothing of any call was sent."""

    def __init__(self, upstream: str, detail: str, *, retry_after: float = 0.0) -> None:
        super().__init__(f"the tools of upstream {upstream!r} cannot be read: {detail}")
        self.upstream = upstream
        self.detail = detail
        self.retry_after = retry_after  # seconds


class Catalog:
    """Snapshot, freshness and sessions of one event loop."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._loading: asyncio.Task[Snapshot] | None = None
        self._refreshing: dict[UUID, asyncio.Task[None]] = {}
        self._read_at: dict[UUID, tuple[bytes, float]] = {}
        self._pool: UpstreamPool | None = None
        self.verdicts = Verdicts()
        self.offers = Offers(self._open, _scope_at)
        self.announcements = Announcements(self._open, _scope_at, self._reread_tools)

    # -- rows ---------------------------------------------------------------------------------

    async def snapshot(self, *, newer_than: int | None = None) -> Snapshot:
        """The rows of the last epoch that this process heard of.

        `newer_than` names an epoch that the gate is known to have left.
        """
        found = self._snapshot
        if found is not None and (newer_than is None or found.epoch > newer_than):
            return found
        return await self.reload()

    @property
    def known_epoch(self) -> int | None:
        """The epoch of the rows that are remembered; None while there are none."""
        return self._snapshot.epoch if self._snapshot is not None else None

    async def reload(self) -> Snapshot:
        """Read the rows anew; one read serves all who ask at the same time."""
        if self._loading is not None:
            # That read may have begun before what the caller knows of: wait, then read again.
            await asyncio.wait({self._loading})
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(in_database(load_snapshot))
        self._snapshot = await asyncio.shield(self._loading)
        return self._snapshot

    def forget(self) -> None:
        """Believe nothing that was read before: the gate moved."""
        self._snapshot = None

    # -- tool lists ---------------------------------------------------------------------------

    def is_fresh(self, source: Source) -> bool:
        """Whether the tool list was read lately, under this very configuration."""
        digest, until = self._read_at.get(source.id, (b"", 0.0))
        return digest == source.digest and asyncio.get_running_loop().time() < until

    async def ensure_fresh(self, source: Source, *, agent_id: UUID | None = None) -> bool:
        """Make sure that the tool list was read lately; True when reading it changed the pins.

        Raises CatalogUnreadable.
        """
        if self.is_fresh(source):
            return False
        before = self._snapshot.epoch if self._snapshot is not None else 0
        await self.refresh(source, agent_id=agent_id)
        return self._snapshot is None or self._snapshot.epoch != before

    async def refresh(self, source: Source, *, agent_id: UUID | None = None) -> None:
        """Read the tool list now; one reading per upstream at a time. Raises CatalogUnreadable."""
        running = self._refreshing.get(source.id)
        if running is None:
            running = asyncio.create_task(self._read(source, agent_id))
            self._refreshing[source.id] = running
            running.add_done_callback(lambda done: self._ended(source.id, done))
        await asyncio.shield(running)

    def _ended(self, upstream_id: UUID, task: asyncio.Task[None]) -> None:
        self._refreshing.pop(upstream_id, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may have waited

    def tools_changed(self, upstream_id: str) -> None:
        """The upstream says that its tools changed: read them before the next call."""
        self._read_at.pop(UUID(upstream_id), None)

    def announced(self, upstream_id: str, scope: str, message: Message) -> None:
        """An upstream says something to everybody who uses it."""
        upstream = UUID(upstream_id)
        match message.method:
            case "notifications/tools/list_changed":
                self.tools_changed(upstream_id)
            case "notifications/prompts/list_changed":
                self.offers.changed(upstream, ("prompts",))
            case "notifications/resources/list_changed":
                self.offers.changed(upstream, ("resources", "templates"))
        self.announcements.heard(upstream, scope, message)

    async def _read(self, source: Source, agent_id: UUID | None) -> None:
        try:
            session = await self.session(source, agent_id=agent_id)
            tools = await session.list_tools()
            recorded = await in_database(
                record_list, upstream_id=source.id, config_digest=source.digest, tools=tools
            )
        except UpstreamUnavailable as error:
            await self._failed(source, error.detail, error.retry_after)
            raise CatalogUnreadable(
                source.name, error.detail, retry_after=error.retry_after
            ) from error
        except (RequestFailed, ListRefused, TimeoutError) as error:
            detail = str(error) or "it did not answer in time"
            await self._failed(source, detail)
            raise CatalogUnreadable(source.name, detail) from error
        if recorded.drifted:
            logger.warning(
                "Upstream %s changed or withdrew %d tools; they are quarantined.",
                source.name,
                len(recorded.drifted),
            )
        if recorded.moved:
            await self.reload()
        until = asyncio.get_running_loop().time() + conf.catalog_seconds()
        self._read_at[source.id] = (source.digest, until)

    async def _failed(self, source: Source, detail: str, retry_after: float = 0.0) -> None:
        await in_database(
            record_failure, upstream_id=source.id, error=detail, retry_after=retry_after
        )

    # -- sessions -----------------------------------------------------------------------------

    async def session(self, source: Source, *, agent_id: UUID | None = None) -> UpstreamSession:
        """A session for calls of this agent. Raises UpstreamUnavailable: nothing was sent."""
        if source.spec is None:
            raise UpstreamUnavailable(source.broken)
        return await self._sessions().session(source.spec, scope=scope_of(source.spec, agent_id))

    async def _open(self, source: Source, agent_id: UUID | None) -> UpstreamSession:
        return await self.session(source, agent_id=agent_id)

    async def _reread_tools(self, source: Source, agent_id: UUID | None) -> None:
        await self.refresh(source, agent_id=agent_id)

    def _sessions(self) -> UpstreamPool:
        if self._pool is None:
            self._pool = UpstreamPool(
                stdio_socket=conf.stdio_socket(),
                stdio_secret=conf.stdio_secret(),
                on_announcement=self.announced,
            )
        return self._pool

    async def close(self) -> None:
        """End the readings under way and every session."""
        for task in list(self._refreshing.values()):
            task.cancel()
        await asyncio.gather(*self._refreshing.values(), return_exceptions=True)
        await self.announcements.close()
        await self.offers.close()
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        self._read_at.clear()
        self._snapshot = None


def scope_of(spec: UpstreamSpec, agent_id: UUID | None) -> str:
    """Whose server state a call meets: everybody's, or this agent's own."""
    if not spec.per_agent_scope:
        return "shared"
    return str(agent_id) if agent_id is not None else LISTING


def _scope_at(source: Source, agent_id: UUID | None) -> str:
    return scope_of(source.spec, agent_id) if source.spec is not None else "shared"


_catalogs: WeakKeyDictionary[asyncio.AbstractEventLoop, Catalog] = WeakKeyDictionary()


def catalog() -> Catalog:
    """The catalogue of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _catalogs.get(loop)
    if found is None:
        found = _catalogs[loop] = Catalog()
    return found


def may_use(principal: Principal, source: Source) -> bool:
    """Whether the upstream is open to the agent's team."""
    return principal.team_id in source.team_ids


async def refresh_upstream(upstream_id: UUID) -> None:
    """Read an upstream's tool list now, in a loop of any length. Raises CatalogUnreadable."""
    source = await in_database(load_source, upstream_id)
    if source is None:
        raise CatalogUnreadable(str(upstream_id), "there is no such upstream, or it is disabled")
    await catalog().refresh(source)


async def close() -> None:
    """End what the running loop's catalogue holds open."""
    found = _catalogs.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


__all__ = [
    "Catalog",
    "CatalogTool",
    "CatalogUnreadable",
    "catalog",
    "close",
    "may_use",
    "refresh_upstream",
    "scope_of",
]
