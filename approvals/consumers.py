"""The browsers' doorbell: says which tickets changed, to the people who may see them.

Read-only: whatever a browser sends ends the connection. Carries identifiers and version numbers
only. What a person may see is read at connecting and again every few seconds, together with
whether their session still stands; who is asked about a ticket is looked up once per process.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from channels.auth import get_user
from channels.db import database_sync_to_async

from approvals.events import bus
from approvals.models import Ticket, User
from approvals.selectors.absence import voting_groups

logger = logging.getLogger(__name__)

RECHECK_SECONDS: Final = 10.0
WAITING_MESSAGES: Final = 500  # beyond them the page is told to look at everything
REMEMBERED_TICKETS: Final = 2000
LOST_AGAIN_SECONDS: Final = 3.0
SESSION_OVER: Final = 4401  # the page signs in again
NOT_LISTENING: Final = 1003
BROKEN: Final = 1011

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person may see: everything, or their own tickets and these teams' and groups'."""

    person: UUID
    everything: bool
    teams: frozenset[UUID]
    groups: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who owned a ticket's agent, and the groups that are asked; neither ever changes."""

    owner: UUID
    groups: frozenset[UUID]


class AskedPeople:
    """What this process remembers of tickets, so that each is read once and not per socket."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, Asked] = OrderedDict()

    async def about(self, uid: UUID) -> Asked | None:
        """Whom a ticket concerns; None while there is no such ticket."""
        found = self._known.get(uid)
        if found is None:
            found = await _read_asked(uid)
            if found is not None:
                self._known[uid] = found
                while len(self._known) > REMEMBERED_TICKETS:
                    self._known.popitem(last=False)
        return found


asked_people = AskedPeople()


class Socket:
    """One browser's connection, from its handshake to its end.

    A plain ASGI application: Channels' own consumers would subscribe each socket to the channel
    layer, while one subscription serves this whole process.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._session = scope.get("session")
        self._receive = receive
        self._send = send
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WAITING_MESSAGES)
        self._missed = False
        self._told_lost = float("-inf")

    async def serve(self) -> None:
        """Accept people who are signed in, then ring for what they may see."""
        await self._receive()  # websocket.connect
        sight = await self._look()
        if sight is None:
            await self._send({"type": "websocket.close", "code": SESSION_OVER})
            return
        self._sight = sight
        await self._send({"type": "websocket.accept"})
        unsubscribe = bus().listen(self._heard)
        ways_to_end = [
            asyncio.create_task(work, name="placet-doorbell")
            for work in (self._until_closed(), self._ring(), self._recheck())
        ]
        try:
            ended, _ = await asyncio.wait(ways_to_end, return_when=asyncio.FIRST_COMPLETED)
            code = _code(ended)
        finally:
            unsubscribe()
            for task in ways_to_end:
                task.cancel()
            await asyncio.gather(*ways_to_end, return_exceptions=True)
        if code is not None:
            await self._send({"type": "websocket.close", "code": code})

    async def _until_closed(self) -> int | None:
        """The code to close with, or None once the browser has gone."""
        message = await self._receive()
        # Nothing is listened to here: decisions are posts.
        return None if message["type"] == "websocket.disconnect" else NOT_LISTENING

    def _heard(self, message: dict[str, Any]) -> None:
        """Called by the bus; never blocks."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self._missed = True

    async def _ring(self) -> int | None:
        while True:
            message = await self._queue.get()
            if self._missed:
                self._missed = False
                message = {"lost": True}
            rings = await self._rings(message)
            if rings is not None:
                await self._send({"type": "websocket.send", "text": json.dumps(rings)})

    async def _rings(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """What this person is told of a message, or None."""
        if "t" in message:
            uid = UUID(message["t"])
            if await self._may_see(uid, UUID(message["m"])):
                return {"ticket": str(uid), "version": int(message["v"])}
            return None
        if "g" in message:
            return {"gate": int(message["g"])}
        return self._lost() if "lost" in message else None

    def _lost(self) -> dict[str, Any] | None:
        """Word that messages may be missing, not again and again while the broker is away."""
        now = asyncio.get_running_loop().time()
        if now - self._told_lost < LOST_AGAIN_SECONDS:
            return None
        self._told_lost = now
        return {"lost": True}

    async def _may_see(self, uid: UUID, team: UUID) -> bool:
        sight = self._sight
        if sight.everything or team in sight.teams:
            return True
        asked = await asked_people.about(uid)
        return asked is not None and (
            asked.owner == sight.person or bool(asked.groups & sight.groups)
        )

    async def _recheck(self) -> int | None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            sight = await self._look()
            if sight is None:
                return SESSION_OVER
            self._sight = sight

    async def _look(self) -> Sight | None:
        """What the session's person may see now; None when the session does not stand."""
        session = _unwrapped(self._session)
        if session is None or not session.session_key:
            return None
        user = await get_user({"session": type(session)(session.session_key)})
        return await _read_sight(user.pk) if isinstance(user, User) else None


async def doorbell(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of the browsers' sockets."""
    await Socket(scope, receive, send).serve()


def _code(ended: set[asyncio.Task[int | None]]) -> int | None:
    """What to close with: what a task says, or that one of them broke."""
    for task in ended:
        problem = task.exception()
        if problem is not None:
            logger.error("A doorbell broke and is closed.", exc_info=problem)
            return BROKEN
    return next(task.result() for task in ended)


def _unwrapped(session: Any) -> Any:
    """The session behind Channels' lazy wrapper."""
    return getattr(session, "_wrapped", session)


@database_sync_to_async  # type: ignore[untyped-decorator]  # Channels ships no types
def _read_asked(uid: UUID) -> Asked | None:
    ticket = Ticket.objects.filter(uid=uid).only("pk", "person_id").first()
    if ticket is None:
        return None
    groups = ticket.groups.values_list("pk", flat=True)
    return Asked(owner=ticket.person_id, groups=frozenset(groups))


@database_sync_to_async  # type: ignore[untyped-decorator]  # Channels ships no types
def _read_sight(user_id: UUID) -> Sight | None:
    user = User.objects.select_related("person").filter(pk=user_id, is_active=True).first()
    if user is None:
        return None
    person = user.person
    return Sight(
        person=person.pk,
        everything=person.is_admin or person.is_auditor,
        teams=frozenset(person.team_memberships.values_list("team_id", flat=True)),
        groups=frozenset(group for (group,) in voting_groups(person)),
    )
