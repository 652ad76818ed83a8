"""How a claimed or sent ticket ends: by an answer, or by its provable absence."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from approvals import conf
from approvals.domain.states import State, UnknownReason
from approvals.models import DatabaseNow, Ticket, after_seconds
from approvals.transitions.primitive import NO_CLAIM, lease_dead, move


def succeed(*, ticket_id: int, fence: int, result_payload_id: UUID, actor: str) -> Ticket:
    """Sent to succeeded: the upstream answered with a result."""
    return move(
        ticket_id=ticket_id,
        source=State.SENT,
        target=State.SUCCEEDED,
        guard=Q(fence=fence),
        changes={"result_id": result_payload_id, "ended_at": DatabaseNow(), **NO_CLAIM},
        actor=actor,
    )


def fail_sent(
    *,
    ticket_id: int,
    fence: int,
    result_payload_id: UUID | None,
    reason_payload_id: UUID | None = None,
    actor: str,
) -> Ticket:
    """Sent to failed: the upstream answered with an error."""
    return move(
        ticket_id=ticket_id,
        source=State.SENT,
        target=State.FAILED,
        guard=Q(fence=fence),
        changes={
            "result_id": result_payload_id,
            "reason_id": reason_payload_id,
            "ended_at": DatabaseNow(),
            **NO_CLAIM,
        },
        actor=actor,
    )


def fail_unsent(*, ticket_id: int, fence: int, reason_payload_id: UUID, actor: str) -> Ticket:
    """Claimed to failed: it certainly did not run."""
    return move(
        ticket_id=ticket_id,
        source=State.CLAIMED,
        target=State.FAILED,
        guard=Q(fence=fence),
        changes={"reason_id": reason_payload_id, "ended_at": DatabaseNow(), **NO_CLAIM},
        actor=actor,
    )


def unknown(*, ticket_id: int, fence: int | None, reason: UnknownReason, actor: str) -> Ticket:
    """Sent to outcome_unknown, by the executor.

    With fence None by the sweeper: the lease is dead, or the executor was asked to abort and has
    not said anything for `conf.ABORT_SECONDS`.
    """
    given_up = lease_dead() | Q(abort_requested_at__lte=after_seconds(-conf.ABORT_SECONDS))
    return move(
        ticket_id=ticket_id,
        source=State.SENT,
        target=State.OUTCOME_UNKNOWN,
        guard=given_up if fence is None else Q(fence=fence),
        changes={"unknown_reason": reason, "ended_at": DatabaseNow(), **NO_CLAIM},
        actor=actor,
        detail={"reason": reason.value},
    )
