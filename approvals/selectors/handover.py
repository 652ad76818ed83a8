"""Which tickets were handed on, by whom and to whom; of a person's the newest counts.

Reads only; says nothing of who may vote.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import BigIntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan

from approvals.models import Handoff, Ticket


def handed_away(person: UUID, groups: Collection[UUID]) -> Q:
    """Tickets that this person handed on, and that did not come back to them."""
    given = Handoff.objects.filter(ticket=OuterRef("pk"), giver=person)
    return Q(GreaterThan(_newest(given), _newest(_got(person, groups))))


def handed_to(person: UUID, groups: Collection[UUID]) -> Q:
    """Tickets that somebody handed to this person, or to a group of theirs, and they still have."""
    given = Handoff.objects.filter(ticket=OuterRef("pk"), giver=person)
    return Q(GreaterThan(_newest(_got(person, groups)), _newest(given)))


def handoff_to(ticket: Ticket, person: UUID, groups: Collection[UUID]) -> Handoff | None:
    """The handoff by which this person has the ticket; None where they handed it on since."""
    concerns = Q(giver=person) | Q(to_person=person) | Q(to_group__in=list(groups))
    newest = (
        ticket.handoffs.filter(concerns).select_related("giver", "words").order_by("-pk").first()
    )
    return newest if newest is not None and newest.giver_id != person else None


def given_by(person: UUID, groups: Collection[UUID]) -> QuerySet[Handoff]:
    """For a subquery over tickets: how somebody handed each to this person, the newest first."""
    return _got(person, groups).order_by("-pk")


def _got(person: UUID, groups: Collection[UUID]) -> QuerySet[Handoff]:
    mine = Q(to_person=person) | Q(to_group__in=list(groups))
    return Handoff.objects.filter(mine, ticket=OuterRef("pk")).exclude(giver=person)


def _newest(handoffs: QuerySet[Handoff]) -> Coalesce:
    newest = Subquery(handoffs.order_by("-pk").values("pk")[:1])
    return Coalesce(newest, Value(0), output_field=BigIntegerField())
