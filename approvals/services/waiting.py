"""Who still waits for a ticket: holders, handovers, withdrawals."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from approvals.domain.canonical import JSON
from approvals.domain.policy import CallFacts
from approvals.domain.quorum import Answer
from approvals.domain.states import CancelReason, State, UnknownReason, Waiting
from approvals.models import User
from approvals.services.contract import *  # noqa: F403


def start_holder() -> UUID:
    raise NotImplementedError


def renew_holder(holder_id: UUID) -> bool:
    raise NotImplementedError


def stop_holder(holder_id: UUID) -> None:
    raise NotImplementedError


def attach(
    *, uid: UUID, agent_id: UUID, waiting: Waiting, holder_id: UUID | None = None
) -> TicketView:
    raise NotImplementedError


def detach(*, uid: UUID, holder_id: UUID) -> None:
    raise NotImplementedError


def hand_over(*, uid: UUID, holder_id: UUID | None = None) -> TicketView:
    raise NotImplementedError


def withdraw(*, uid: UUID, agent_id: UUID) -> TicketView:
    raise NotImplementedError


def view(*, uid: UUID, agent_id: UUID) -> TicketView:
    raise NotImplementedError


def states(uids: Collection[UUID]) -> dict[UUID, tuple[State, int]]:
    raise NotImplementedError


def mark_delivered(uid: UUID) -> bool:
    raise NotImplementedError
