"""The road of an approved ticket to its send: claim, lease, send, release, retry."""

from __future__ import annotations

from django.db.models import F, Q, Value
from django.db.models.functions import Least

from approvals.domain.errors import AuthorityChanged, StaleState
from approvals.domain.states import State, Waiting
from approvals.models import DatabaseNow, Holder, Ticket, after_seconds
from approvals.transitions.gate import pass_gate
from approvals.transitions.primitive import (
    NEXT_FENCE,
    NO_CLAIM,
    approval_live,
    lease_alive,
    lease_dead,
    move,
)


def somebody_waits() -> Q:
    """A task, a handover not yet lapsed, or a request held by a process that is alive."""
    alive = Holder.objects.filter(lease_expires_at__gt=DatabaseNow())
    return (
        Q(waiting=Waiting.TASK)
        | Q(waiting=Waiting.HANDED_OVER, waits_until__gt=DatabaseNow())
        | Q(waiting=Waiting.HELD, detached_at__isnull=True, holder__in=alive)
    )


def claim(*, ticket_id: int, worker: str, lease_seconds: float, epoch: int, actor: str) -> int:
    """Approved to claimed; returns the fence that this executor now holds.

    Raises KillSwitchOn, AuthorityChanged when `epoch` is not current or not the one the ticket was
    judged at, and StaleState when somebody else was first, the approval is not live or nobody
    waits.
    """
    pass_gate(epoch=epoch)
    _require_judged_at(ticket_id, epoch)
    ticket = move(
        ticket_id=ticket_id,
        source=State.APPROVED,
        target=State.CLAIMED,
        guard=approval_live() & somebody_waits() & Q(gate_epoch=epoch),
        changes={
            "fence": NEXT_FENCE,
            "claimed_by": worker,
            "claimed_at": DatabaseNow(),
            "lease_expires_at": after_seconds(lease_seconds),
        },
        actor=actor,
    )
    return ticket.fence


def renew_lease(*, ticket_id: int, fence: int, lease_seconds: float) -> None:
    """Keep the claim alive: a heartbeat without an audit row. Raises StaleState."""
    renewed = Ticket.objects.filter(
        lease_alive(), pk=ticket_id, fence=fence, state__in=(State.CLAIMED, State.SENT)
    ).update(lease_expires_at=after_seconds(lease_seconds))
    if not renewed:
        raise StaleState(ticket=ticket_id, fence=fence)


def send(
    *,
    ticket_id: int,
    fence: int,
    digest: bytes,
    tool_digest: bytes,
    upstream_digest: bytes,
    epoch: int,
    attempts_allowed: int = 1,
    actor: str,
) -> Ticket:
    """Claimed to sent. The caller commits this before the first byte leaves.

    `attempts_allowed` is what an admin allows today; what was allowed at submission bounds it.
    Raises KillSwitchOn, AuthorityChanged, and StaleState when fence or lease is lost, the
    approval is not live, the attempts are used up, or what would be sent was not approved.
    """
    pass_gate(epoch=epoch)
    _require_judged_at(ticket_id, epoch)
    return move(
        ticket_id=ticket_id,
        source=State.CLAIMED,
        target=State.SENT,
        guard=approval_live()
        & lease_alive()
        & Q(
            fence=fence,
            digest=digest,
            tool_digest=tool_digest,
            upstream_digest=upstream_digest,
            gate_epoch=epoch,
            attempts__lt=Least(F("max_attempts"), Value(attempts_allowed)),
        ),
        changes={"sent_at": DatabaseNow(), "attempts": F("attempts") + 1},
        actor=actor,
        detail={
            "digest": digest.hex(),
            "tool_digest": tool_digest.hex(),
            "upstream_digest": upstream_digest.hex(),
            "epoch": epoch,
        },
    )


def release(*, ticket_id: int, actor: str) -> Ticket:
    """Claimed back to approved: the executor's lease is dead and nothing was sent."""
    return move(
        ticket_id=ticket_id,
        source=State.CLAIMED,
        target=State.APPROVED,
        guard=approval_live() & lease_dead(),
        changes={"fence": NEXT_FENCE, **NO_CLAIM},
        actor=actor,
    )


def retry_sent(*, ticket_id: int, attempts_allowed: int, actor: str) -> Ticket:
    """Sent back to approved: the lease is dead, and an admin calls the tool idempotent.

    `attempts_allowed` is what an admin allows today; what was allowed at submission bounds it.
    """
    pass_gate()
    return move(
        ticket_id=ticket_id,
        source=State.SENT,
        target=State.APPROVED,
        guard=approval_live()
        & lease_dead()
        & Q(
            attempts__lt=Least(F("max_attempts"), Value(attempts_allowed)),
            abort_requested_at__isnull=True,
        ),
        changes={"fence": NEXT_FENCE, **NO_CLAIM},
        actor=actor,
    )


def _require_judged_at(ticket_id: int, epoch: int) -> None:
    """Raise AuthorityChanged unless the ticket was judged at `epoch`; the UPDATE checks again."""
    judged = Ticket.objects.filter(pk=ticket_id).values_list("gate_epoch", flat=True).first()
    if judged is not None and judged != epoch:
        raise AuthorityChanged(epoch=epoch, judged=judged)
