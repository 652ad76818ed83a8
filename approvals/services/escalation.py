"""Asking a second group before the deadline, by the database's clock.

Every sweep looks at what is due; the queue only proposes, and the ticket's own obligations, age
and groups decide under its lock. Several sweepers at one ticket are one act; losing every message
costs no more than the time until the next sweep.
"""

from __future__ import annotations

from django.db import transaction

from approvals import transitions
from approvals.domain.errors import StaleState
from approvals.domain.obligations import Obligations
from approvals.domain.states import State
from approvals.domain.telling import Kind
from approvals.models import DatabaseNow, DueEscalation, ReviewerGroup, Ticket, after_seconds
from approvals.selectors.votes import obligations_of
from approvals.services import actors
from approvals.services.naming import note_names
from approvals.services.notifications import tell


def note_due(ticket: Ticket, obligations: Obligations) -> None:
    """Remember when a new ticket asks its second group, where it has one. Joins."""
    if obligations.escalate is not None:
        DueEscalation.objects.create(
            ticket=ticket, due_at=after_seconds(obligations.escalate.after_seconds)
        )


def escalate_due(limit: int = 200) -> int:
    """Ask the second group of each ticket that is due; of how many."""
    due = DueEscalation.objects.filter(due_at__lte=DatabaseNow()).order_by("due_at")
    return sum(_escalate(key) for key in due.values_list("pk", flat=True)[:limit])


def _escalate(ticket_id: int) -> bool:
    try:
        with transaction.atomic(durable=True):
            ticket = Ticket.objects.select_for_update(of=("self",)).get(pk=ticket_id)
            if not DueEscalation.objects.filter(pk=ticket_id).delete()[0]:
                return False  # another sweeper was first
            return _ask(ticket)
    except StaleState:
        return False  # its deadline passed between our look and our write


def _ask(ticket: Ticket) -> bool:
    """Ask the second group, if there is anything left to decide and anybody new to ask."""
    escalate = obligations_of(ticket).escalate
    if escalate is None or ticket.state != State.PENDING:
        return False
    group = ReviewerGroup.objects.filter(slug=escalate.to).first()
    if group is None or ticket.groups.filter(pk=group.pk).exists():
        return False
    transitions.escalate(
        ticket_id=ticket.pk,
        group_id=group.pk,
        after=escalate.after_seconds,
        actor=actors.SWEEPER,
    )
    note_names(ticket, groups=[group.pk])
    tell(kind=Kind.ESCALATED, ticket=ticket, groups=[group.pk], occasion=f"to:{group.pk}")
    return True
