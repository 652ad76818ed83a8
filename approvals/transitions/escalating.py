"""Asking a second group, because nobody has decided in time."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from approvals.domain.canonical import JSON
from approvals.domain.states import State
from approvals.models import DatabaseNow, Ticket, after_seconds
from approvals.transitions.primitive import write


def escalate(*, ticket_id: int, group_id: UUID, after: float, actor: str) -> Ticket:
    """Ask one more group about a ticket that stood undecided for `after` seconds.

    The obligations, and with them the digest, named that group from the beginning. Raises
    StaleState when it is decided, too early or too late, and IntegrityError when that group is
    asked already.
    """
    asked = Ticket.groups.through.objects
    asked.create(ticket_id=ticket_id, reviewergroup_id=group_id)
    rows = asked.filter(ticket=ticket_id).values_list("pk", "reviewergroup_id")
    groups: dict[str, JSON] = {str(row): str(group) for row, group in rows}
    return write(
        ticket_id=ticket_id,
        states=(State.PENDING,),
        guard=Q(created_at__lte=after_seconds(-after), approval_expires_at__gt=DatabaseNow()),
        changes={},
        actor=actor,
        action="escalated",
        detail={"to": str(group_id), "groups": groups},
    )
