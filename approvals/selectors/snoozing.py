"""Who has put which ticket away for now. Reads only."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, OuterRef, QuerySet

from approvals.models import DatabaseNow, Snooze


def live() -> QuerySet[Snooze]:
    """Snoozes that still hold: their time is ahead, and nobody edited the ticket."""
    return Snooze.objects.filter(until__gt=DatabaseNow(), revision=F("ticket__revision"))


def put_away(person: UUID) -> QuerySet[Snooze]:
    """For a subquery over tickets: this person has put the ticket away."""
    return live().filter(ticket=OuterRef("pk"), person=person)
