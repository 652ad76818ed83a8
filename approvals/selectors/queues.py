"""Tickets that something is due for, by the database's clock: the sweeper's and executors' reads.

A queue only proposes. Every guard stands again in the UPDATE that acts on a proposal.
"""

from __future__ import annotations

from typing import Final

from django.db.models import F, Q, QuerySet

from approvals import conf
from approvals.domain.states import CANCELLABLE, State, Waiting
from approvals.models import DatabaseNow, Holder, Ticket, after_seconds
from approvals.models.clock import AfterSeconds

UNSENT: Final = sorted(state.value for state in CANCELLABLE)


def executable_tickets() -> QuerySet[Ticket]:
    """Approved, live, and somebody waits; oldest first."""
    waited_for = (
        Q(waiting=Waiting.TASK)
        | Q(waiting=Waiting.HANDED_OVER, waits_until__gt=DatabaseNow())
        | Q(waiting=Waiting.HELD, detached_at__isnull=True, holder__in=_holders(alive=True))
    )
    return Ticket.objects.filter(
        waited_for,
        state=State.APPROVED,
        revoked_at__isnull=True,
        execution_expires_at__gt=DatabaseNow(),
    ).order_by("pk")


def overdue() -> QuerySet[Ticket]:
    """Undecided or unexecuted past their deadline."""
    return Ticket.objects.filter(
        Q(state=State.PENDING, approval_expires_at__lte=DatabaseNow())
        | Q(
            state__in=(State.APPROVED, State.CLAIMED),
            execution_expires_at__lte=DatabaseNow(),
        )
    ).order_by("pk")


def left_by_dead_holders() -> QuerySet[Ticket]:
    """Held by a process that no longer says so, and not yet noted as left."""
    return Ticket.objects.filter(
        state__in=UNSENT,
        waiting=Waiting.HELD,
        detached_at__isnull=True,
        holder__in=_holders(alive=False),
    ).order_by("pk")


def abandoned() -> QuerySet[Ticket]:
    """Nobody waits any more, and the time to come back is over."""
    gone = AfterSeconds(F("grace_seconds") * -1)
    return Ticket.objects.filter(
        Q(waiting=Waiting.HELD, detached_at__lte=gone)
        | Q(waiting=Waiting.HANDED_OVER, waits_until__lte=DatabaseNow()),
        state__in=UNSENT,
    ).order_by("pk")


def unsent() -> QuerySet[Ticket]:
    """Everything that can still be stopped before it leaves."""
    return Ticket.objects.filter(state__in=UNSENT).order_by("pk")


def in_flight() -> QuerySet[Ticket]:
    """Sent, without an answer, and nobody asked to break them off."""
    return Ticket.objects.filter(state=State.SENT, abort_requested_at__isnull=True).order_by("pk")


def claimed_by_the_dead() -> QuerySet[Ticket]:
    """Claimed by an executor whose lease ran out; nothing was sent."""
    return Ticket.objects.filter(state=State.CLAIMED, lease_expires_at__lte=DatabaseNow()).order_by(
        "pk"
    )


def sent_by_the_dead() -> QuerySet[Ticket]:
    """Sent by an executor whose lease ran out, or that does not do as it was asked."""
    return Ticket.objects.filter(
        Q(lease_expires_at__lte=DatabaseNow())
        | Q(abort_requested_at__lte=after_seconds(-conf.ABORT_SECONDS)),
        state=State.SENT,
    ).order_by("pk")


def not_wound_up() -> QuerySet[Ticket]:
    """Ended without having been sent, and no worker has closed what that left open."""
    return Ticket.objects.filter(
        ended_at__isnull=False, sent_at__isnull=True, wound_up_at__isnull=True
    ).order_by("pk")


def _holders(*, alive: bool) -> QuerySet[Holder]:
    lease = "lease_expires_at__gt" if alive else "lease_expires_at__lte"
    return Holder.objects.filter(**{lease: DatabaseNow()})
