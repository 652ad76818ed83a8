"""Who waits here: the held calls of this process, woken by doorbells, sure of the rows.

A waiter costs memory only: an event in a dictionary. For all of them together there is one bus
subscription, one look at the rows every two seconds and one heartbeat of the holder's lease, so
that no decision is missed when messages are lost and nobody is held by a dead process. Knows
nothing of MCP.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError

from mcpbridge import approvals_gateway as gateway
from mcpbridge.approvals_gateway import State, TicketView, Waiting
from mcpbridge.offload import in_crowd, in_database
from mcpbridge.server.lane import Lane
from mcpbridge.server.together import Together

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
HEARTBEAT_SECONDS: Final = 3.0
INSIST_SECONDS: Final = 300
_REMEMBERED_CALLS: Final = 20_000
_LOOK_AT: Final = 500  # tickets in one query


class Waiter:
    """One held request of one ticket."""

    __slots__ = ("_event", "agent_id", "requests", "uid", "version")

    def __init__(self, uid: UUID, agent_id: UUID, event: asyncio.Event | None = None) -> None:
        self.uid = uid
        self.agent_id = agent_id
        self.requests = 0  # of the ticket, as this waiter last saw it
        self.version = -1  # of the row as this waiter last saw it
        self._event = event or asyncio.Event()

    def saw(self, view: TicketView) -> None:
        """Remember the row as it was just seen."""
        self.version = view.version
        self.requests = view.requests

    def wake(self) -> None:
        """Let it look at the row again."""
        self._event.set()

    async def rings(self, seconds: float) -> bool:
        """Wait at most that long to be woken; whether it was."""
        if not self._event.is_set() and seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._event.wait()
            except TimeoutError:
                return False
        was_set = self._event.is_set()
        self._event.clear()
        return was_set


async def settled[T](work: Awaitable[T], *, otherwise: Callable[[asyncio.Future[T]], None]) -> T:
    """Await work that runs to its end even when the caller is cancelled; then tell `otherwise`."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(otherwise)
        raise


async def _insisting(act: Callable[..., object], arguments: dict[str, Any]) -> None:
    for _ in range(INSIST_SECONDS):
        try:
            await in_crowd(act, **arguments)
        except DatabaseError as problem:
            logger.warning("%s failed (%s); trying again.", act.__name__, problem)
            await asyncio.sleep(1.0)
        except gateway.Refusal as refusal:
            logger.debug("%s: %s", act.__name__, refusal)
            return
        else:
            return


class Waiters:
    """The held calls of one event loop, with the lease under which they are held."""

    def __init__(
        self,
        *,
        look_seconds: float = LOOK_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        ledger: Any = gateway,
    ) -> None:
        self._look_seconds = look_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self.ledger = ledger
        self._waiters: dict[UUID, set[Waiter]] = {}
        self._calls: OrderedDict[UUID, int] = OrderedDict()  # requests of a ticket, made here
        self._holder: UUID | None = None
        self._released = False
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()  # a lost reference would end one silently
        self._unsubscribe: Callable[[], None] | None = None
        self._failing: set[str] = set()
        # The heartbeat must not queue behind the work of thousands of calls.
        self._lane = Lane("holder")
        self._versions: Together[UUID, int] = Together(self._read_versions, name="waiters-versions")

    # -- one process ---------------------------------------------------------------------------

    async def start(self) -> UUID:
        """Take the holder's lease and begin to listen, once; returns the holder's id."""
        if self._holder is not None:
            return self._holder
        async with self._starting:
            if (meanwhile := self.holder) is not None:
                return meanwhile
            holder: UUID = await in_database(self.ledger.start_holder)
            self._unsubscribe = self.ledger.bus().listen(self._heard)
            self.spawn(self._every(self._look_seconds, self._look), name="waiters-look")
            self.spawn(self._every(self._heartbeat_seconds, self._beat), name="waiters-beat")
            self._holder = holder
            return holder

    async def release(self) -> None:
        """Give the lease back: the grace of all tickets that are held here begins at once.

        What this process opens from here on counts as left from its beginning.
        """
        if self._holder is None or self._released:
            return
        self._released = True
        # By the heartbeat's own lane: one under way must not run the lease again afterwards.
        await self._lane.run(self.ledger.stop_holder, self._holder)

    async def close(self) -> None:
        """Stop listening, give the lease back, end what still runs beside the requests."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await self.release()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._holder, self._released = None, False
        await self._lane.close()

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str) -> None:
        """Run work beside the requests; its errors are logged, its task is kept."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def insist(self, act: Callable[..., object], **arguments: Any) -> None:
        """Write something beside the requests, again each second while the database is away."""
        self.spawn(_insisting(act, arguments), name=f"waiters-{act.__name__}")

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            logger.error("%s failed.", task.get_name(), exc_info=problem)

    @property
    def holder(self) -> UUID | None:
        """The lease under which this process holds tickets; None before the first request."""
        return self._holder

    # -- one request ----------------------------------------------------------------------------

    def join(
        self,
        uid: UUID,
        agent_id: UUID,
        *,
        is_call: bool = False,
        event: asyncio.Event | None = None,
    ) -> Waiter:
        """Register a held request. Look at the row only afterwards, or a change is missed.

        `is_call`: it is one of the requests that the ticket counts. `event`: what wakes it,
        where it looks at several tickets.
        """
        waiter = Waiter(uid, agent_id, event)
        if is_call:
            self._calls[uid] = self._calls.get(uid, 0) + 1
            self._calls.move_to_end(uid)
            while len(self._calls) > _REMEMBERED_CALLS:
                self._calls.popitem(last=False)
        self._waiters.setdefault(uid, set()).add(waiter)
        return waiter

    def leave(self, waiter: Waiter) -> bool:
        """Take a held request out; whether it was the last one of its ticket here."""
        here = self._waiters.get(waiter.uid)
        if here is None or waiter not in here:
            return False
        here.discard(waiter)
        if here:
            return False
        del self._waiters[waiter.uid]
        return True

    def has_all_requests(self, waiter: Waiter) -> bool:
        """Whether every request of the ticket was made here: nobody can wait elsewhere."""
        return waiter.requests <= self._calls.get(waiter.uid, 0)

    def __len__(self) -> int:
        return sum(len(here) for here in self._waiters.values())

    async def view(self, waiter: Waiter) -> TicketView:
        """The row as it is now; a ticket that lost its holder is held by this process again."""
        view: TicketView = await in_database(
            self.ledger.view, uid=waiter.uid, agent_id=waiter.agent_id
        )
        if view.detached and not view.is_over:
            return await self.attach(waiter)
        waiter.saw(view)
        return view

    async def has_moved(self, waiter: Waiter) -> bool:
        """Whether the row is another than the one the waiter saw last; one small query for all."""
        return await self._versions.find(waiter.uid) != waiter.version

    def _read_versions(self, uids: list[UUID]) -> dict[UUID, int]:
        found: dict[UUID, tuple[State, int]] = self.ledger.states(uids)
        return {uid: found[uid][1] if uid in found else -1 for uid in uids}

    async def attach(
        self, waiter: Waiter, *, by: Callable[..., TicketView] | None = None
    ) -> TicketView:
        """Make this process the ticket's holder. Raises NotVisible for another agent's ticket.

        `by` does it in the place of the ledger, with the same arguments.
        """
        holder = await self.start()

        def left_meanwhile(_: object) -> None:
            if waiter.uid not in self._waiters:
                self.insist(self.ledger.detach, uid=waiter.uid, holder_id=holder)

        attached: TicketView = await settled(
            in_database(
                by or self.ledger.attach,
                uid=waiter.uid,
                agent_id=waiter.agent_id,
                waiting=Waiting.HELD,
                holder_id=holder,
            ),
            otherwise=left_meanwhile,
        )
        waiter.saw(attached)
        return attached

    # -- what wakes them -------------------------------------------------------------------------

    def _heard(self, message: dict[str, Any]) -> None:
        """A doorbell: somebody's ticket, or word that doorbells were lost."""
        if message.get("lost"):
            for here in self._waiters.values():
                for waiter in here:
                    waiter.wake()
            return
        try:
            uid = UUID(str(message["t"]))
        except (KeyError, ValueError):
            return
        version = message.get("v")
        for waiter in self._waiters.get(uid, ()):
            if not isinstance(version, int) or version > waiter.version:
                waiter.wake()  # else it is the news that the waiter came with

    async def _look(self) -> None:
        """One query for everybody: wake those whose row has moved on."""
        uids = list(self._waiters)
        for start in range(0, len(uids), _LOOK_AT):
            batch = uids[start : start + _LOOK_AT]
            found: dict[UUID, tuple[State, int]] = await in_database(self.ledger.states, batch)
            for uid, (_state, version) in found.items():
                for waiter in self._waiters.get(uid, ()):
                    if waiter.version != version:
                        waiter.wake()

    async def _beat(self) -> None:
        """Renew the lease, or revive it: what was left meanwhile is found by the next look."""
        if self._holder is not None and not self._released:
            await self._lane.run(self._renew, self._holder)

    def _renew(self, holder: UUID) -> None:
        if not self.ledger.renew_holder(holder):
            logger.warning("The lease on the held calls had run out; it runs again.")
            self.ledger.revive_holder(holder)

    async def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        """Do something again and again; a failure is logged once, until it works again."""
        name = act.__name__
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except Exception as problem:  # noqa: BLE001 (the next round tries again)
                if name not in self._failing:
                    logger.warning("Waiting calls: %s fails (%s).", name, problem)
                self._failing.add(name)
            else:
                self._failing.discard(name)
