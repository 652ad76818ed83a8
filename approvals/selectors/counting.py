"""How much needs a person, and what needs them next, without loading any of it.

Says the same as `inbox(...).needs_you`, in one query; every page's frame asks it.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from approvals.domain.states import State
from approvals.models import Decision, GroupMembership, Person, Ticket

MOST_COUNTED: Final = 200


def needs_count(person: Person, *, one_person: bool) -> int:
    """How many tickets need this person, counted no further than MOST_COUNTED."""
    return needing(person, one_person=one_person).order_by().values("pk")[:MOST_COUNTED].count()


def next_needing(person: Person, *, one_person: bool, after: UUID) -> UUID | None:
    """The most pressing ticket that needs this person, other than `after`."""
    others = needing(person, one_person=one_person).exclude(uid=after)
    return others.values_list("uid", flat=True).first()


def needing(person: Person, *, one_person: bool) -> QuerySet[Ticket]:
    """Tickets on which this person's approval or finding is awaited, first deadline first."""
    asked = Ticket.groups.through.objects.filter(
        ticket=OuterRef("pk"),
        reviewergroup__in=GroupMembership.objects.filter(
            person=person, person__accounts__is_active=True
        ).values("group"),
    )
    mine = Decision.objects.filter(
        ticket=OuterRef("pk"), revision=OuterRef("revision"), person=person
    ).order_by("-created_at", "-pk")
    unvoted = Q(my_vote__isnull=True) | Q(my_vote=Decision.Verdict.WITHDRAW)
    unresolved = Q(state=State.OUTCOME_UNKNOWN, annotated_at__isnull=True)
    pending = Q(state=State.PENDING) & unvoted
    if not one_person:
        pending &= ~Q(person=person)  # its owner may reject it, but is not waited for
    return (
        Ticket.objects.annotate(my_vote=Subquery(mine.values("verdict")[:1]))
        .filter(Exists(asked), pending | unresolved)
        .order_by("approval_expires_at", "pk")
    )
