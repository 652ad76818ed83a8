"""What people said about tickets, and whose answer is awaited. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from approvals.domain.states import State
from approvals.models import Edit, Remark, Ticket


def remarks_of(ticket: Ticket) -> Sequence[Remark]:
    """Everything said about a ticket that the reader may see, oldest first."""
    said = ticket.remarks.select_related("person", "words", "asked")
    return list(said.order_by("created_at", "pk"))


def edits_of(ticket: Ticket) -> Sequence[Edit]:
    """The edits of a ticket that the reader may see, oldest first; without any, no query."""
    if ticket.revision == 1:
        return []
    edits = ticket.edits.select_related("person", "arguments_before", "arguments", "reason")
    return list(edits.order_by("revision"))


def asks_open(person: UUID) -> Q:
    """Tickets on which a question to this person is not answered yet."""
    answers = Remark.objects.filter(answers=OuterRef("pk"))
    questions = Remark.objects.filter(
        ticket=OuterRef("pk"), kind=Remark.Kind.QUESTION, asked=person
    ).exclude(Exists(answers))
    return Q(Exists(questions))


def asks(person: UUID) -> QuerySet[Ticket]:
    """Pending tickets on which this person's answer is awaited."""
    return Ticket.objects.filter(asks_open(person), ended_at__isnull=True, state=State.PENDING)
