"""The streams on which agents hear that something changed, in both eras.

A stream hears only of upstreams, lists and resources that its agent may use now: who it is and
what policy says are looked at again every second or so, whatever messages were lost. What is said
is a hint to look again, so it is kept once until it is sent; a slow agent costs no more memory than
what it asked for. Knows no wire and no SDK.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import Error as DatabaseError

from mcpbridge import approvals_gateway as ledger
from mcpbridge.approvals_gateway import AgentNotLive
from mcpbridge.calls.addresses import below
from mcpbridge.calls.forwarded import GET_PROMPT, READ
from mcpbridge.calls.principal import Principal
from mcpbridge.calls.tool_call import ClientDeclaration
from mcpbridge.catalog.catalog import catalog
from mcpbridge.catalog.channel import Announcement, Subscription
from mcpbridge.catalog.listing import tools_in_sight
from mcpbridge.catalog.offered import Place, open_sources, usable_sources
from mcpbridge.catalog.snapshot import Source
from mcpbridge.offload import in_database
from mcpbridge.pep.liveness import live_tokens, recheck
from mcpbridge.upstream.notifications import LIST_CHANGED, UPDATED, Wanted

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
PACE_SECONDS: Final = 0.1  # between two batches of one stream
OPENING_SECONDS: Final = 0.5  # how long a new stream waits for those of its upstreams
MOST_OF_ONE_AGENT: Final = 100  # streams
MOST_URIS: Final = 200  # of one stream
LONGEST_URI: Final = 2_048  # characters: they are kept as long as the stream
MOST_PENDING: Final = 1_000
MOST_SAID: Final = 5_000  # then a stream ends, and whoever reads it opens another
KINDS: Final = frozenset(LIST_CHANGED.values())
METHODS: Final = {kind: method for method, kind in LIST_CHANGED.items()}


class TooManyStreams(Exception):
    """This agent has as many streams open as it may."""


@dataclass(frozen=True, slots=True)
class Said:
    """One notification for an agent."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)


class AgentStream:
    """One agent's stream: what it wants, what it may hear, and what is still to be said."""

    def __init__(
        self,
        principal: Principal,
        *,
        upstream: str | None,
        on_close: Callable[[AgentStream], None],
        is_alive: Callable[[], bool] | None = None,
    ) -> None:
        self.principal = principal
        self.upstream = upstream
        self.kinds: frozenset[str] = frozenset()
        self.uris: dict[str, Place] = {}
        self._on_close = on_close
        self._is_alive = is_alive
        self._heard_at: dict[str, tuple[Source, Wanted, Subscription]] = {}
        self._in_sight: dict[str, object] = {}
        self._pending: dict[tuple[str, str], Said] = {}
        self._news = asyncio.Event()
        self._said = 0
        self._refreshing = asyncio.Lock()
        self.is_over = False
        self.epoch = -1  # of the gate when it was last settled what may be heard

    async def want(self, *, kinds: frozenset[str], uris: Mapping[str, Place]) -> None:
        """Hear of these from now on; returns when the upstreams' streams stand, or soon."""
        self.kinds, self.uris = kinds, dict(uris)
        await self.refresh()
        standing = [subscription.stands() for _, _, subscription in self._heard_at.values()]
        if standing:
            done = asyncio.gather(*standing, return_exceptions=True)
            await asyncio.wait({done}, timeout=OPENING_SECONDS)
            done.cancel()

    async def refresh(self) -> None:
        """Listen to exactly those upstreams that this agent may use now."""
        async with self._refreshing:
            self.epoch = (await in_database(ledger.gate)).epoch  # before anything that it judges
            wanted = await self._wanted()
            if self.is_over:
                return
            before, self._heard_at = self._heard_at, {}
            for name, (source, what) in wanted.items():
                kept = before.get(name)
                if kept is not None and kept[1] == what and kept[0].digest == source.digest:
                    self._heard_at[name] = before.pop(name)
                    continue
                subscription = catalog().announcements.listen(
                    source, agent_id=self.principal.agent_id, wanted=what, listener=self._hear
                )
                self._heard_at[name] = (source, what, subscription)
            for _, _, subscription in before.values():
                subscription.close()  # last, so that a stream that is still wanted stands on

    def say(self, said: Said, *, key: str = "") -> None:
        """Say something to the agent; what has the same method and key is said once."""
        if (said.method, key) not in self._pending and len(self._pending) >= MOST_PENDING:
            return
        self._pending[said.method, key] = said
        self._news.set()

    async def batch(self) -> list[Said] | None:
        """Wait for what is to be said next; None when the stream is over."""
        while not self._pending and not self.is_over:
            self._news.clear()
            await self._news.wait()
        if self.is_over or self._said >= MOST_SAID:
            return None
        said = list(self._pending.values())
        self._pending.clear()
        self._said += len(said)
        return said

    def end(self) -> None:
        """Say no more; whoever reads the stream closes it."""
        self.is_over = True
        self._news.set()

    def close(self) -> None:
        """Let go of everything."""
        self.end()
        for _, _, subscription in self._heard_at.values():
            subscription.close()
        self._heard_at.clear()
        self._on_close(self)

    def is_stale(self, live: frozenset[UUID]) -> bool:
        """Whether its token, or whatever it hangs on, is gone."""
        return self.principal.token_id not in live or (
            self._is_alive is not None and not self._is_alive()
        )

    def _hear(self, announcement: Announcement) -> None:
        if announcement.kind != "updated":
            self.say(Said(METHODS[announcement.kind]))
            return
        for public, place in self.uris.items():
            rest = below(announcement.uri, place.name)
            if place.upstream == announcement.upstream and rest is not None:
                uri = public if not rest else public.rstrip("/") + rest
                self.say(Said(UPDATED, {"uri": uri}), key=uri)

    async def _wanted(self) -> dict[str, tuple[Source, Wanted]]:
        """What to listen for at each upstream; says which lists changed since the last look."""
        readable = await self._open(READ, needed=bool(self.uris) or "resources" in self.kinds)
        askable = await self._open(GET_PROMPT, needed="prompts" in self.kinds)
        every: Sequence[Source] = ()
        if "tools" in self.kinds:
            every = await usable_sources(self.principal, upstream=self.upstream)
            self._compare("tools", await tools_in_sight(self.principal, upstream=self.upstream))
        self._compare("resources", frozenset(source.name for source in readable))
        self._compare("prompts", frozenset(source.name for source in askable))
        found: dict[str, tuple[Source, Wanted]] = {}
        for kind, sources in (("tools", every), ("prompts", askable), ("resources", readable)):
            for source in sources:
                uris = frozenset(
                    place.name
                    for place in self.uris.values()
                    if kind == "resources" and place.upstream == source.name
                )
                kinds = frozenset({kind}) & self.kinds
                if kinds or uris:
                    before = found[source.name][1] if source.name in found else Wanted()
                    found[source.name] = (source, before | Wanted(kinds, uris))
        return found

    async def _open(self, governed: str, *, needed: bool) -> list[Source]:
        if not needed:
            return []
        return await open_sources(self.principal, governed, upstream=self.upstream)

    def _compare(self, kind: str, seen: object) -> None:
        before = self._in_sight.get(kind)
        self._in_sight[kind] = seen
        if before is not None and before != seen and kind in self.kinds:
            self.say(Said(METHODS[kind]))


type Extension = Callable[
    [AgentStream, ClientDeclaration, Any], Awaitable[tuple[Any, Callable[[], None]]]
]
"""Serves one more key of a modern client's filter: (stream, its client, what was asked) → what is
honoured, and how to stop. It says what it has to say by `AgentStream.say`."""


class Subscriptions:
    """The streams of one event loop, and the look at who may still have one."""

    def __init__(self) -> None:
        self._streams: set[AgentStream] = set()
        self._watcher: asyncio.Task[None] | None = None
        self.extensions: dict[str, Extension] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def open(
        self,
        principal: Principal,
        *,
        upstream: str | None,
        is_alive: Callable[[], bool] | None = None,
    ) -> AgentStream:
        """A stream for this agent; close it in the end. Raises TooManyStreams."""
        own = sum(one.principal.agent_id == principal.agent_id for one in self._streams)
        if own >= MOST_OF_ONE_AGENT:
            raise TooManyStreams(f"this agent has {own} streams open, as many as it may")
        stream = AgentStream(
            principal, upstream=upstream, on_close=self._streams.discard, is_alive=is_alive
        )
        self._streams.add(stream)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        return stream

    async def close(self) -> None:
        """End every stream."""
        for stream in list(self._streams):
            stream.end()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    async def _watch(self) -> None:
        while self._streams:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                gate = await in_database(ledger.gate)
                tokens = {stream.principal.token_id for stream in self._streams}
                live = await in_database(live_tokens, tokens)
            except DatabaseError:
                logger.warning("The database does not answer while agents listen.")
                continue
            for stream in list(self._streams):
                if stream.is_stale(live):
                    stream.end()
                elif stream.epoch not in (-1, gate.epoch):
                    await _refresh(stream)


async def _refresh(stream: AgentStream) -> None:
    try:
        stream.principal = await in_database(recheck, stream.principal)
        await stream.refresh()
    except AgentNotLive:
        stream.end()
    except Exception:
        logger.exception("What an agent may hear of cannot be told; its stream ends.")
        stream.end()
