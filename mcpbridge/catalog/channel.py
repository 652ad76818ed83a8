"""The stream of one upstream and scope, kept open while somebody listens.

One stream serves however many listen; it is opened anew, with growing pauses, when it ends. Knows
neither what is announced nor what follows from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from mcpbridge.calls.addresses import below
from mcpbridge.catalog.snapshot import Source
from mcpbridge.catalog.watching import subscribe, unsubscribe
from mcpbridge.upstream.client import NoStream, UpstreamSession
from mcpbridge.upstream.errors import RequestFailed, UpstreamUnavailable
from mcpbridge.upstream.notifications import Wanted

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
NO_STREAM_PAUSE: Final = 60.0
STEADY_SECONDS: Final = 30.0  # a stream that stood so long begins with short pauses again
OVERLAP_SECONDS: Final = 5.0  # how long an old stream may stand until the new one does

type OpenSession = Callable[[Source, UUID | None], Awaitable[UpstreamSession]]
type Listener = Callable[["Announcement"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Something changed at an upstream: a list by its kind, or one resource by its URI."""

    upstream: str
    kind: str  # tools, prompts, resources, or updated
    uri: str = ""


class Subscription:
    """One listener at one upstream; close it to stop listening."""

    def __init__(self, channel: Channel, wanted: Wanted, listener: Listener) -> None:
        self._channel = channel
        self.wanted = wanted
        self.listener = listener

    async def stands(self) -> None:
        """Wait until the upstream's stream covers what is wanted."""
        await self._channel.covered.wait()

    def close(self) -> None:
        """Stop listening."""
        self._channel.leave(self)


@dataclass(eq=False)
class Channel:
    """The stream of one upstream and scope, and who listens to it."""

    source: Source
    agent_id: UUID | None
    open_session: OpenSession
    on_empty: Callable[[], None]
    members: list[Subscription] = field(default_factory=list)
    covered: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def join(self, wanted: Wanted, listener: Listener) -> Subscription:
        """Listen from now on."""
        before = self.wanted
        member = Subscription(self, wanted, listener)
        self.members.append(member)
        if self.task is None:
            self.task = asyncio.create_task(self._keep())
        elif self.wanted != before:
            self._look_again()
        return member

    def leave(self, member: Subscription) -> None:
        """Stop listening; the stream goes with the last one."""
        if member not in self.members:
            return
        before = self.wanted
        self.members.remove(member)
        if not self.members:
            if self.task is not None:
                self.task.cancel()
            self.on_empty()
        elif self.wanted != before:
            self._look_again()

    def renew(self, source: Source) -> None:
        """The upstream's configuration changed."""
        self.source = source
        self._look_again()

    @property
    def wanted(self) -> Wanted:
        """What all of them want together."""
        found = Wanted()
        for member in self.members:
            found = found | member.wanted
        return found

    def tell(self, announcement: Announcement) -> None:
        """Pass an announcement to those who want it."""
        for member in list(self.members):
            if _is_wanted(announcement, member.wanted):
                try:
                    member.listener(announcement)
                except Exception:
                    logger.exception("A listener to %s failed.", self.source.name)

    def _look_again(self) -> None:
        self.covered.clear()
        self.changed.set()

    async def _keep(self) -> None:
        """Keep a stream open as long as somebody listens."""
        pause = FIRST_PAUSE
        clock = asyncio.get_running_loop().time
        stream: asyncio.Task[None] | None = None
        subscribed: tuple[UpstreamSession, set[str]] | None = None
        try:
            while True:
                began = clock()
                self.changed.clear()
                try:
                    session = await self.open_session(self.source, self.agent_id)
                    if subscribed is None or subscribed[0] is not session:
                        subscribed = (session, set())
                    stream = await self._replaced(stream, session, subscribed[1])
                    self.covered.set()
                    if await self._until_news(stream):
                        pause = FIRST_PAUSE
                        continue  # something else is wanted; the old stream stands until then
                    await stream  # it ended: say why
                except NoStream as error:
                    logger.info("%s announces nothing: %s", self.source.name, error)
                    pause = NO_STREAM_PAUSE
                except (UpstreamUnavailable, RequestFailed) as error:
                    logger.info("The stream of %s ended: %s", self.source.name, error)
                self.covered.set()  # nobody is to wait for a stream that cannot be had
                stream, subscribed = None, None
                if clock() - began > STEADY_SECONDS and pause != NO_STREAM_PAUSE:
                    pause = FIRST_PAUSE
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        except Exception:
            logger.exception("Listening to %s broke.", self.source.name)
        finally:
            self.covered.set()
            if stream is not None:
                stream.cancel()
                await asyncio.gather(stream, return_exceptions=True)
            if subscribed is not None:
                await unsubscribe(subscribed[0], subscribed[1])

    async def _replaced(
        self, old: asyncio.Task[None] | None, session: UpstreamSession, subscribed: set[str]
    ) -> asyncio.Task[None]:
        """A stream for what is wanted now; the one before ends when the new one stands."""
        wanted = self.wanted
        if session.era == "legacy":
            if old is None or old.done():
                old = await self._opened(session, wanted)
            await subscribe(session, wanted.uris, subscribed)
            return old
        new = await self._opened(session, wanted)
        if old is not None:
            old.cancel()
            await asyncio.gather(old, return_exceptions=True)
        return new

    async def _opened(self, session: UpstreamSession, wanted: Wanted) -> asyncio.Task[None]:
        opened = asyncio.Event()
        stream = asyncio.create_task(session.listen(wanted, opened=opened))
        stands = asyncio.create_task(opened.wait())
        try:
            await asyncio.wait(
                {stream, stands},
                timeout=OVERLAP_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
        except asyncio.CancelledError:
            stream.cancel()
            raise
        finally:
            stands.cancel()
        return stream

    async def _until_news(self, stream: asyncio.Task[None]) -> bool:
        """Wait for the stream's end (False), or until something else is wanted (True)."""
        news = asyncio.create_task(self.changed.wait())
        try:
            await asyncio.wait({stream, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
        return not stream.done()


def _is_wanted(announcement: Announcement, wanted: Wanted) -> bool:
    """Whether it is; an upstream may name a part of the resource that somebody watches."""
    if announcement.kind != "updated":
        return announcement.kind in wanted.kinds
    return any(below(announcement.uri, uri) is not None for uri in wanted.uris)
