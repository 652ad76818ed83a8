"""What people's decisions do to a ticket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import Model, Q

from approvals.audit import attest
from approvals.audit.sealing import evidence
from approvals.domain.canonical import JSON
from approvals.domain.states import State
from approvals.models import DatabaseNow, Decision, Ticket, after_seconds
from approvals.transitions.gate import pass_gate
from approvals.transitions.primitive import move, write


def record_vote(
    *, ticket_id: int, decision: Decision, actor: str, also: Sequence[Model] = ()
) -> Ticket:
    """Count a stored decision in the ticket's chain; votes are only cast while it is pending.

    `also` are rows that belong to the vote: its audit row attests to them too.
    """
    stored = Decision.objects.select_related("reason").get(pk=decision.pk, ticket_id=ticket_id)
    detail: dict[str, JSON] = {"verdict": stored.verdict, **attest(stored, *also)}
    if stored.reason is not None:
        detail |= evidence(stored.reason)
    return write(
        ticket_id=ticket_id,
        states=(State.PENDING,),
        guard=Q(approval_expires_at__gt=DatabaseNow(), revision=stored.revision),
        changes={},
        actor=actor,
        action="voted",
        detail=detail,
    )


def approve(
    *,
    ticket_id: int,
    revision: int,
    digest: bytes,
    execution_seconds: float,
    actor: str,
    detail: Mapping[str, JSON] | None = None,
) -> Ticket:
    """Pending to approved: the quorum is complete. Raises KillSwitchOn or StaleState."""
    pass_gate()
    return move(
        ticket_id=ticket_id,
        source=State.PENDING,
        target=State.APPROVED,
        guard=as_seen(revision, digest),
        changes={
            "decided_at": DatabaseNow(),
            "execution_expires_at": after_seconds(execution_seconds),
        },
        actor=actor,
        detail=detail,
    )


def reject(
    *,
    ticket_id: int,
    revision: int,
    digest: bytes,
    reason_payload_id: UUID | None,
    actor: str,
    detail: Mapping[str, JSON] | None = None,
) -> Ticket:
    """Pending to rejected: one eligible person said no. Works with the kill switch on."""
    return move(
        ticket_id=ticket_id,
        source=State.PENDING,
        target=State.REJECTED,
        guard=as_seen(revision, digest),
        changes={
            "decided_at": DatabaseNow(),
            "ended_at": DatabaseNow(),
            "reason_id": reason_payload_id,
        },
        actor=actor,
        detail=detail,
    )


def revoke(*, ticket_id: int, actor: str, detail: Mapping[str, JSON] | None = None) -> Ticket:
    """Take an approval back before the call is sent; the cancellation follows."""
    return write(
        ticket_id=ticket_id,
        states=(State.APPROVED, State.CLAIMED),
        guard=Q(revoked_at__isnull=True),
        changes={"revoked_at": DatabaseNow()},
        actor=actor,
        action="revoked",
        detail=detail,
    )


def as_seen(revision: int, digest: bytes) -> Q:
    """The very ticket that was decided on, and still in time."""
    return Q(revision=revision, digest=digest, approval_expires_at__gt=DatabaseNow())
