"""The four moments at which a worker dies, each reached and proved from outside.

Nothing in the product knows of them: the road is blocked, the witness is slow, or somebody else
holds the rows. `reach` brings every ticket into the window; `last_act` is what is left to do in the
instant before the kill, `undo` what the world does after it.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg

from approvals.api import State
from tests.kills.crowd import Paused, counted
from tests.kills.road import Road
from tests.support.databases import RealDatabase
from tests.support.waiting import eventually_async
from tests.support.witness import Witness

WITHIN = 45.0


@dataclass
class World:
    """What a window may touch."""

    database: RealDatabase
    witness: Witness
    road: Road


class Window(ABC):
    """One moment in the life of a call."""

    letter: str
    name: str
    state: State  # of the row at the kill
    reaches_witness: bool  # before the kill
    runs_again = False
    wants_fresh_worker = False

    @abstractmethod
    async def prepare(self, world: World) -> None:
        """Block the way before anybody approves."""

    @abstractmethod
    async def reach(self, world: World, paused: Paused) -> None:
        """Wait until everything outside says that the window is reached."""

    async def last_act(self, world: World, paused: Paused) -> None:
        """What happens in the instant before the kill; nothing in most windows."""
        return

    async def undo(self, world: World) -> None:
        """Open the way again for the next worker."""
        world.road.open()
        world.witness.release()


class AfterClaim(Window):
    """Claimed, and still asking the upstream for its tools: nothing of the call exists yet."""

    letter, name, state = "a", "after the claim", State.CLAIMED
    reaches_witness = False
    runs_again = True
    wants_fresh_worker = True  # one that has not read the tool list yet

    async def prepare(self, world: World) -> None:
        world.road.keep_preparations()

    async def reach(self, world: World, paused: Paused) -> None:
        await eventually_async(lambda: world.road.waiting, within=WITHIN, why="a stopped look-up")


class AfterSent(Window):
    """`sent` is committed, and no connection comes about: not one byte has left."""

    letter, name, state = "b", "after sent, before the bytes", State.SENT
    reaches_witness = False

    async def prepare(self, world: World) -> None:
        await world.road.turn_deaf()

    async def reach(self, world: World, paused: Paused) -> None:
        assert not set(counted(world.witness)) & set(paused.tickets), "bytes got through"


class AfterBytes(Window):
    """The witness has it on its disk and does not answer."""

    letter, name, state = "c", "after the bytes, before the answer", State.SENT
    reaches_witness = True

    async def prepare(self, world: World) -> None:
        world.witness.hold()

    async def reach(self, world: World, paused: Paused) -> None:
        await eventually_async(
            lambda: set(paused.tickets) <= set(counted(world.witness)),
            within=WITHIN,
            why="the witness has every call",
        )


class BeforeRecord(AfterBytes):
    """The worker has read the answer; the row is locked by somebody else while it dies."""

    letter, name = "d", "after the answer, before the record"

    def __init__(self) -> None:
        self._lock: _Lock | None = None

    async def last_act(self, world: World, paused: Paused) -> None:
        self._lock = _Lock(world.database, paused.uids)
        world.road.read.clear()
        world.witness.release()
        await eventually_async(
            lambda: set(paused.tickets) <= set(world.road.read),
            within=WITHIN,
            why="the worker has read every answer",
        )

    async def undo(self, world: World) -> None:
        if self._lock is not None:
            self._lock.release()
        await super().undo(world)


class _Lock:
    """Keeps everybody from writing these rows; they can still be read."""

    def __init__(self, database: RealDatabase, uids: Sequence[UUID]) -> None:
        self._connection: sqlite3.Connection | psycopg.Connection
        if database.engine == "sqlite3":
            self._connection = sqlite3.connect(
                database.name, timeout=10, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("BEGIN IMMEDIATE")
        else:
            self._connection = psycopg.connect(_plain(database.url))
            self._connection.execute(
                "SELECT 1 FROM approvals_ticket WHERE uid = ANY(%s) ORDER BY id FOR UPDATE",
                [list(uids)],
            )

    def release(self) -> None:
        """Let everybody write again; nothing was changed."""
        self._connection.rollback()
        self._connection.close()


def _plain(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1)


WINDOWS: tuple[type[Window], ...] = (AfterClaim, AfterSent, AfterBytes, BeforeRecord)
