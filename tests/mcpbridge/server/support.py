"""What the tests of the agents' face share: a principal, exchanges, a ledger in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid6 import uuid7

from mcpbridge.approvals_gateway import (
    CancelReason,
    NotVisible,
    State,
    TicketView,
    Waiting,
)
from mcpbridge.calls.principal import Principal
from mcpbridge.server.edge import Arrived
from mcpbridge.server.exchange import Exchange


def a_principal(**changes: Any) -> Principal:
    values: dict[str, Any] = {
        "agent_id": uuid7(),
        "agent_name": "robo",
        "token_id": uuid7(),
        "team_id": uuid7(),
        "person_id": uuid7(),
        "gate_epoch": 1,
        "hold_seconds": None,
        "grace_seconds": 30,
        "max_open_tickets": 20,
    }
    return Principal(**{**values, **changes})


def an_exchange(principal: Principal | None = None, **message: Any) -> Exchange:
    return Exchange(
        principal=principal or a_principal(), upstream=None, arrived=Arrived(b"{}", message)
    )


def a_ticket(agent_id: UUID, **changes: Any) -> TicketView:
    now = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    uid = uuid7()
    values: dict[str, Any] = {
        "uid": uid,
        "number": 4131,
        "state": State.PENDING,
        "revision": 1,
        "version": 1,
        "agent_id": agent_id,
        "upstream_name": "git",
        "tool_name": "git_commit",
        "waiting": Waiting.HELD,
        "created_at": now,
        "approval_expires_at": now + timedelta(hours=1),
        "execution_expires_at": None,
        "decided_at": None,
        "ended_at": None,
        "have": 0,
        "need": 1,
        "groups": ("repository reviewers",),
        "requests": 1,
        "cancel_reason": None,
        "unknown_reason": None,
        "reason": "",
        "result": None,
        "abort_requested": False,
        "by_grant": False,
        "edited": False,
        "path": f"/tickets/{uid}/",
    }
    return TicketView(**{**values, **changes})


class MemoryBus:
    """Doorbells that ring when told to."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[dict[str, Any]], object]] = []

    def listen(self, listener: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def ring(self, message: dict[str, Any]) -> None:
        for listener in list(self.listeners):
            listener(message)


class MemoryLedger:
    """The ledger's waiting calls over a dictionary; it counts what it is asked."""

    def __init__(self) -> None:
        self.tickets: dict[UUID, TicketView] = {}
        self.holders: dict[UUID, UUID | None] = {}
        self.alive: set[UUID] = set()
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.memory_bus = MemoryBus()
        self.delivered: list[UUID] = []
        self.broken: Exception | None = None
        self.waits_seconds: float | None = None  # of the last handover

    def add(self, ticket: TicketView, holder: UUID | None) -> TicketView:
        self.tickets[ticket.uid] = ticket
        self.holders[ticket.uid] = holder
        return ticket

    def change(self, uid: UUID, *, ring: bool = False, **changes: Any) -> None:
        before = self.tickets[uid]
        self.tickets[uid] = replace(before, version=before.version + 1, **changes)
        if ring:
            self.memory_bus.ring({"t": str(uid), "v": before.version + 1, "s": "x"})

    def end(self, uid: UUID, state: State, *, ring: bool = False, **changes: Any) -> None:
        self.change(uid, ring=ring, state=state, ended_at=datetime.now(UTC), **changes)

    def bus(self) -> MemoryBus:
        return self.memory_bus

    def _note(self, name: str) -> None:
        self.calls.append(name)
        self.threads.add(threading.get_ident())
        if self.broken is not None:
            raise self.broken

    def start_holder(self) -> UUID:
        self._note("start_holder")
        holder = uuid7()
        self.alive.add(holder)
        return holder

    def renew_holder(self, holder_id: UUID) -> bool:
        self._note("renew_holder")
        return holder_id in self.alive

    def revive_holder(self, holder_id: UUID) -> None:
        self._note("revive_holder")
        self.alive.add(holder_id)

    def stop_holder(self, holder_id: UUID) -> None:
        self._note("stop_holder")
        self.alive.discard(holder_id)

    def _mine(self, uid: UUID, agent_id: UUID) -> TicketView:
        ticket = self.tickets.get(uid)
        if ticket is None or ticket.agent_id != agent_id:
            raise NotVisible
        return ticket

    def view(self, *, uid: UUID, agent_id: UUID) -> TicketView:
        self._note("view")
        return self._mine(uid, agent_id)

    def attach(
        self, *, uid: UUID, agent_id: UUID, waiting: Waiting, holder_id: UUID | None = None
    ) -> TicketView:
        self._note("attach")
        if not self._mine(uid, agent_id).is_over:
            self.holders[uid] = holder_id
            self.change(uid, waiting=waiting, detached=False)
        return self.tickets[uid]

    def detach(self, *, uid: UUID, holder_id: UUID) -> None:
        self._note("detach")
        if self.holders[uid] == holder_id and not self.tickets[uid].is_over:
            self.holders[uid] = None
            self.change(uid, detached=True)

    def hand_over(
        self, *, uid: UUID, holder_id: UUID | None = None, seconds: float | None = None
    ) -> TicketView:
        self._note("hand_over")
        self.waits_seconds = seconds
        if not self.tickets[uid].is_over:
            self.holders[uid] = None
            self.change(uid, waiting=Waiting.HANDED_OVER)
        return self.tickets[uid]

    def withdraw(
        self,
        *,
        uid: UUID,
        agent_id: UUID,
        holder_id: UUID | None = None,
        requests: int | None = None,
        may_return: bool = False,
    ) -> TicketView:
        self._note("withdraw")
        if requests is not None and self.tickets[uid].requests != requests:
            return self.tickets[uid]
        if may_return and holder_id is not None:
            self.detach(uid=uid, holder_id=holder_id)
            return self.tickets[uid]
        if self.holders[uid] == holder_id and not self.tickets[uid].is_over:
            self.end(uid, State.CANCELLED, cancel_reason=CancelReason.WITHDRAWN)
        return self.tickets[uid]

    def states(self, uids: list[UUID]) -> dict[UUID, tuple[State, int]]:
        self._note("states")
        return {uid: (self.tickets[uid].state, self.tickets[uid].version) for uid in uids}

    def mark_delivered(self, uid: UUID) -> bool:
        self._note("mark_delivered")
        self.delivered.append(uid)
        return True
