"""Everybody who listens in this process: one subscription, and one look at what they may see.

An event costs at most one query, whatever the number of listeners; so does, every few seconds, the
look whether their sessions still stand and what their people may see. Knows no wire.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import DatabaseError

from approvals.events import bus
from approvals.selectors.sights import Sight, changed_since, concerned, standing_sights

logger = logging.getLogger(__name__)

RECHECK_SECONDS: Final = 10.0
LOST_AGAIN_SECONDS: Final = 3.0
BACKLOG: Final = 2000  # messages; beyond them everybody is told to look at everything

LOST: Final = '{"lost": true}'


class Listener(Protocol):
    """One browser."""

    session_key: str
    sight: Sight

    def tell(self, text: str) -> None:
        """Say this to the browser; never blocks."""

    def over(self) -> None:
        """The session does not stand any more."""

    def broken(self) -> None:
        """Nobody can say whether it does."""


class Hub:
    """The listeners of one event loop."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._unsubscribe: Callable[[], None] | None = None
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue(BACKLOG)
        self._tasks: list[asyncio.Task[None]] = []  # a lost reference would end one silently
        self._told_lost = float("-inf")

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """Ring for this one from now on."""
        self._listeners.add(listener)
        if self._unsubscribe is None:
            self._unsubscribe = bus().listen(self.heard)
            self._tasks = [
                asyncio.create_task(work, name="placet-doorbells")
                for work in (self._ring(), self._recheck())
            ]

    async def catch_up(self, listener: Listener, since: datetime) -> None:
        """Tell one that has just joined what changed while its page was on its way."""
        try:
            changes = await _changed_since(since)
        except DatabaseError as problem:
            logger.warning("What a new doorbell has missed cannot be read (%s).", problem)
            changes = None
        if changes is None:
            listener.tell(LOST)
            return
        for change in changes:
            if listener.sight.covers(change.concerned):
                listener.tell(_ticket(change.uid, change.version))

    def leave(self, listener: Listener) -> None:
        """Ring for this one no more; with the last one everything stops."""
        self._listeners.discard(listener)
        if self._listeners or self._unsubscribe is None:
            return
        self._unsubscribe()
        self._unsubscribe = None
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._messages = asyncio.Queue(BACKLOG)

    def heard(self, message: dict[str, Any]) -> None:
        """Called by the bus; never blocks."""
        try:
            self._messages.put_nowait(message)
        except asyncio.QueueFull:
            self._lost()

    async def _ring(self) -> None:
        while True:
            several = [await self._messages.get()]
            while not self._messages.empty():
                several.append(self._messages.get_nowait())
            for message in _newest(several):
                try:
                    await self._pass_on(message)
                except Exception as problem:  # noqa: BLE001 (all look for themselves then)
                    logger.warning("A doorbell could not be passed on (%r).", problem)
                    self._lost()

    async def _pass_on(self, message: dict[str, Any]) -> None:
        if "t" in message:
            await self._ticket_changed(message)
        elif "g" in message:
            self._tell_all(json.dumps({"gate": int(message["g"])}))
        elif "lost" in message:
            self._lost()

    async def _ticket_changed(self, message: dict[str, Any]) -> None:
        """Those whose sight alone says that they see the ticket need not wait for its row.

        The row is read at each change, because whom a ticket concerns may grow.
        """
        uid, team = UUID(message["t"]), UUID(message["m"])
        text = _ticket(uid, int(message["v"]))
        others = []
        for listener in self._listeners:
            if listener.sight.everything or team in listener.sight.teams:
                listener.tell(text)
            else:
                others.append(listener)
        if not others:
            return
        ticket = await _concerned(uid)
        for listener in others:
            if ticket is not None and listener in self._listeners and listener.sight.covers(ticket):
                listener.tell(text)

    def _lost(self) -> None:
        """Word that messages may be missing, not again and again while the broker is away."""
        now = asyncio.get_running_loop().time()
        if now - self._told_lost >= LOST_AGAIN_SECONDS:
            self._told_lost = now
            self._tell_all(LOST)

    def _tell_all(self, text: str) -> None:
        for listener in tuple(self._listeners):
            listener.tell(text)

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                await self._look_again()
            except DatabaseError as problem:
                # Nothing is believed longer than the database answers for it.
                logger.warning("The sessions of open doorbells cannot be read (%s).", problem)
                for listener in tuple(self._listeners):
                    listener.broken()

    async def _look_again(self) -> None:
        asked = tuple(self._listeners)
        sights = await standing({listener.session_key for listener in asked})
        for listener in asked:
            sight = sights.get(listener.session_key)
            if sight is None:
                listener.over()
            else:
                listener.sight = sight


def _ticket(uid: UUID, version: int) -> str:
    return json.dumps({"ticket": str(uid), "version": version})


def _newest(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """These messages without those that a later one of the same ticket makes idle."""
    newest: dict[object, dict[str, Any]] = {}
    for message in messages:
        key = message.get("t") or object()
        known = newest.get(key)
        if known is None or message["v"] >= known["v"]:
            newest[key] = message
    return list(newest.values())


standing = database_sync_to_async(standing_sights)
_concerned = database_sync_to_async(concerned)
_changed_since = database_sync_to_async(changed_since)

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = Hub()
    return found
