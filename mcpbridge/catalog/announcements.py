"""What upstreams announce, for those in this process who want to hear it.

Everything said is a hint to look again, so nothing is kept and nothing is repeated. Tools are read
before anybody is told that they changed. Knows no agent's protocol and no policy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from mcpbridge.calls.addresses import MAX_URI
from mcpbridge.catalog.channel import Announcement, Channel, Listener, OpenSession, Subscription
from mcpbridge.catalog.snapshot import Source
from mcpbridge.upstream.notifications import LIST_CHANGED, UPDATED, Wanted
from mcpbridge.upstream.replies import Message

logger = logging.getLogger(__name__)

REREAD_PAUSE: Final = 0.5  # between two readings of one upstream's tools

type ToolsChanged = Callable[[Source, UUID | None], Awaitable[None]]


class Announcements:
    """The channels of one event loop."""

    def __init__(
        self,
        open_session: OpenSession,
        scope_of: Callable[[Source, UUID | None], str],
        tools_changed: ToolsChanged,
    ) -> None:
        self._open_session = open_session
        self._scope_of = scope_of
        self._tools_changed = tools_changed
        self._channels: dict[tuple[UUID, str], Channel] = {}
        self._rereading: dict[tuple[UUID, str], asyncio.Task[None]] = {}
        self._again: set[tuple[UUID, str]] = set()  # said to have changed while they were read
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._channels)

    def listen(
        self, source: Source, *, agent_id: UUID, wanted: Wanted, listener: Listener
    ) -> Subscription:
        """Have `listener` told what the upstream announces of `wanted`."""
        key = (source.id, self._scope_of(source, agent_id))
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(
                source, agent_id, self._open_session, lambda: self._emptied(key)
            )
        elif channel.source.digest != source.digest:
            channel.renew(source)
        return channel.join(wanted, listener)

    def heard(self, upstream_id: UUID, scope: str, message: Message) -> None:
        """An upstream announces something to those who use it in this scope."""
        channel = self._channels.get((upstream_id, scope))
        if channel is None:
            return
        name = channel.source.name
        kind = LIST_CHANGED.get(message.method)
        if kind == "tools":
            self._reread_tools((upstream_id, scope), channel)
        elif kind is not None:
            channel.tell(Announcement(upstream=name, kind=kind))
        elif message.method == UPDATED:
            uri = (message.body.get("params") or {}).get("uri")
            if isinstance(uri, str) and len(uri) <= MAX_URI:
                channel.tell(Announcement(upstream=name, kind="updated", uri=uri))

    async def close(self) -> None:
        """End every stream."""
        channels = list(self._channels.values())
        self._channels.clear()
        tasks = [channel.task for channel in channels if channel.task is not None]
        tasks += [*self._rereading.values(), *self._ending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _emptied(self, key: tuple[UUID, str]) -> None:
        channel = self._channels.pop(key, None)
        if channel is not None and channel.task is not None:
            self._ending.add(channel.task)
            channel.task.add_done_callback(self._ending.discard)

    def _reread_tools(self, key: tuple[UUID, str], channel: Channel) -> None:
        """Read the tools before anybody is told that they changed; once at a time."""
        running = self._rereading.get(key)
        if running is not None and not running.done():
            self._again.add(key)
            return
        task = asyncio.create_task(self._reread(key, channel))
        self._rereading[key] = task
        task.add_done_callback(lambda _: self._rereading.pop(key, None))

    async def _reread(self, key: tuple[UUID, str], channel: Channel) -> None:
        """Read, tell, and rest; once more if it was said again meanwhile."""
        again = True
        while again:
            self._again.discard(key)
            try:
                await self._tools_changed(channel.source, channel.agent_id)
            except Exception as error:  # noqa: BLE001  # agents are to look themselves
                logger.info("The tools of %s could not be read: %s", channel.source.name, error)
            channel.tell(Announcement(upstream=channel.source.name, kind="tools"))
            await asyncio.sleep(REREAD_PAUSE)
            again = key in self._again
