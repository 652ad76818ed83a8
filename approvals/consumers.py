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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from approvals.events import bus
from approvals.models import Ticket, User

logger = logging.getLogger(__name__)

RECHECK_SECONDS: Final = 10.0
WAITING_MESSAGES: Final = 500  # beyond them the page is told to look at everything
REMEMBERED_TICKETS: Final = 2000
SESSION_OVER: Final = 4401  # the page signs in again


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


class Doorbell(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels ships no types
    """One browser's socket."""

    async def connect(self) -> None:
        """Accept people who are signed in, then ring for what they may see."""
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WAITING_MESSAGES)
        self._lost = False
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: Callable[[], None] = lambda: None
        sight = await self._look()
        if sight is None:
            await self.close()
            return
        self._sight = sight
        await self.accept()
        self._unsubscribe = bus().listen(self._heard)
        self._tasks = [
            asyncio.create_task(self._ring(), name="placet-doorbell-ring"),
            asyncio.create_task(self._recheck(), name="placet-doorbell-recheck"),
        ]

    async def disconnect(self, code: int) -> None:
        """Leave nothing behind."""
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            if task is not asyncio.current_task():
                with suppress(asyncio.CancelledError):
                    await task
        self._tasks = []

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing is listened to here: decisions are posts."""
        await self.close(code=1003)

    def _heard(self, message: dict[str, Any]) -> None:
        """Called by the bus; never blocks."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self._lost = True

    async def _ring(self) -> None:
        while True:
            message = await self._queue.get()
            if self._lost:
                self._lost = False
                await self._say({"lost": True})
            rings = await self._rings(message)
            if rings is not None:
                await self._say(rings)

    async def _rings(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """What this person is told of a message, or None."""
        if "t" in message:
            uid = UUID(message["t"])
            if await self._may_see(uid, UUID(message["m"])):
                return {"ticket": str(uid), "version": int(message["v"])}
            return None
        if "g" in message:
            return {"gate": int(message["g"])}
        return {"lost": True} if "lost" in message else None

    async def _may_see(self, uid: UUID, team: UUID) -> bool:
        sight = self._sight
        if sight.everything or team in sight.teams:
            return True
        asked = await asked_people.about(uid)
        return asked is not None and (
            asked.owner == sight.person or bool(asked.groups & sight.groups)
        )

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                sight = await self._look()
            except Exception:
                logger.exception("A doorbell could not check what its person may see.")
                sight = None
            if sight is None:
                await self.close(code=SESSION_OVER)
                return
            self._sight = sight

    async def _look(self) -> Sight | None:
        """What the session's person may see now; None when the session does not stand."""
        session = self.scope.get("session")
        if session is None or not session.session_key:
            return None
        fresh = type(_unwrapped(session))(session.session_key)
        user = await get_user({"session": fresh})
        return await _read_sight(user.pk) if isinstance(user, User) else None

    async def _say(self, message: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(message))


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
        groups=frozenset(person.group_memberships.values_list("group_id", flat=True)),
    )
