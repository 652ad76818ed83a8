"""Who has put which ticket away for now. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet

from approvals.models import DatabaseNow, Snooze, Ticket


def live() -> QuerySet[Snooze]:
    """Snoozes that still hold: their time is ahead, and nobody edited the ticket."""
    return Snooze.objects.filter(until__gt=DatabaseNow(), revision=F("ticket__revision"))


def put_away(person: UUID) -> QuerySet[Snooze]:
    """For `Exists` over tickets: this person has put the ticket away."""
    return live().filter(ticket=OuterRef("pk"), person=person)


def snoozed_until(ticket: Ticket, person: UUID) -> datetime | None:
    """Until when this person has put the ticket away; None when they have not."""
    return live().filter(ticket=ticket, person=person).values_list("until", flat=True).first()


def away_until(keys: Collection[int], person: UUID) -> dict[int, datetime]:
    """Until when this person has put each of these tickets away, by the ticket's key; one query."""
    return dict(live().filter(ticket__in=keys, person=person).values_list("ticket_id", "until"))
