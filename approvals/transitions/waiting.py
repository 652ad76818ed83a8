"""Who waits for a ticket: attached, handed over, gone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Case, Q, When
from django.db.models.functions import Least

from approvals.domain.states import OPEN, State, Waiting
from approvals.models import DatabaseNow, Holder, Ticket, after_seconds
from approvals.transitions.primitive import write


def attach_waiter(
    *,
    ticket_id: int,
    waiting: Waiting,
    holder_id: UUID | None,
    actor: str,
    waits_seconds: float | None = None,
) -> Ticket:
    """Somebody waits (again): held by `holder_id`, as a task, or handed over for a while."""
    changes: dict[str, Any] = {
        "waiting": waiting,
        "holder_id": holder_id if waiting is Waiting.HELD else None,
        "detached_at": None,
        "waits_until": None,
    }
    if waiting is Waiting.HANDED_OVER:
        changes["waits_until"] = _lapse(waits_seconds)
    return write(
        ticket_id=ticket_id,
        states=OPEN,
        changes=changes,
        actor=actor,
        action="attached",
        detail={"waiting": waiting.value},
    )


def hand_over(
    *, ticket_id: int, holder_id: UUID | None, waits_seconds: float, actor: str
) -> Ticket:
    """From held to handed over: the agent was told to come back within `waits_seconds`.

    With `holder_id`, only while that process is the one that holds it.
    """
    return write(
        ticket_id=ticket_id,
        states=OPEN,
        guard=None if holder_id is None else Q(waiting=Waiting.HELD, holder_id=holder_id),
        changes={
            "waiting": Waiting.HANDED_OVER,
            "holder_id": None,
            "detached_at": None,
            "waits_until": _lapse(waits_seconds),
        },
        actor=actor,
        action="handed_over",
    )


def detach(*, ticket_id: int, holder_id: UUID | None, actor: str) -> Ticket:
    """The held request is gone: its process says so, or (None) its process is dead."""
    dead = Holder.objects.filter(lease_expires_at__lte=DatabaseNow())
    guard = Q(waiting=Waiting.HELD, detached_at__isnull=True)
    guard &= (
        (Q(holder__in=dead) | Q(holder__isnull=True))
        if holder_id is None
        else Q(holder_id=holder_id)
    )
    return write(
        ticket_id=ticket_id,
        states=OPEN,
        guard=guard,
        changes={"detached_at": DatabaseNow()},
        actor=actor,
        action="detached",
    )


def _lapse(waits_seconds: float | None) -> Case:
    """When a handover lapses; while pending never after the time to decide."""
    if waits_seconds is None:
        raise ValueError("a handover needs a time after which it lapses")
    end = after_seconds(waits_seconds)
    return Case(When(state=State.PENDING, then=Least(end, "approval_expires_at")), default=end)
