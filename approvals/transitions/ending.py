"""How tickets end without having been sent: deadlines and cancellations."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Q

from approvals.domain.canonical import JSON
from approvals.domain.errors import StaleState
from approvals.domain.states import CANCELLABLE, CancelReason, State
from approvals.models import DatabaseNow, Ticket
from approvals.transitions.primitive import NEXT_FENCE, NO_CLAIM, move


def expire(*, ticket_id: int, actor: str) -> Ticket:
    """To expired: the deadline of the ticket's state lies behind the database's clock."""
    source = _lock(ticket_id)
    deadline = "approval_expires_at" if source is State.PENDING else "execution_expires_at"
    return move(
        ticket_id=ticket_id,
        source=source,
        target=State.EXPIRED,
        guard=Q(**{f"{deadline}__lte": DatabaseNow()}),
        changes={"ended_at": DatabaseNow(), **(NO_CLAIM if source is State.CLAIMED else {})},
        actor=actor,
    )


def cancel(
    *,
    ticket_id: int,
    reason: CancelReason,
    actor: str,
    detail: Mapping[str, JSON] | None = None,
) -> Ticket:
    """To cancelled, from any state in which nothing was sent. Any claim loses its fence."""
    source = _lock(ticket_id)
    return move(
        ticket_id=ticket_id,
        source=source,
        target=State.CANCELLED,
        changes={
            "cancel_reason": reason,
            "ended_at": DatabaseNow(),
            "fence": NEXT_FENCE,
            **(NO_CLAIM if source is State.CLAIMED else {}),
        },
        actor=actor,
        detail={**(detail or {}), "reason": reason.value},
    )


def _lock(ticket_id: int) -> State:
    """The state from which to move, held until the transaction ends; raises StaleState."""
    found = (
        Ticket.objects.select_for_update()
        .filter(pk=ticket_id, state__in=CANCELLABLE)
        .values_list("state", flat=True)
        .first()
    )
    if found is None:
        raise StaleState(ticket=ticket_id)
    return State(found)
