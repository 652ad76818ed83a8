"""What needs a person: the one place that says so, and how much it is without loading any of it.

Every page's frame asks it. Two walks along two small partial indexes, the open tickets and the
outcomes that nobody looked into; each ticket met costs a look into a unique index, never a join
with what all groups were ever asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, IsNull

from approvals.domain.states import State
from approvals.models import Decision, GroupMembership, Person, Ticket
from approvals.selectors.visibility import asked_of

MOST_COUNTED: Final = 100
PENDING: Final = Q(ended_at__isnull=True, state=State.PENDING)
UNRESOLVED: Final = Q(state=State.OUTCOME_UNKNOWN, annotated_at__isnull=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """A person with the groups that they vote in; `one_person` as for a vote."""

    person: Person
    groups: tuple[UUID, ...]
    one_person: bool


def reviewer(person: Person, *, one_person: bool) -> Reviewer:
    """Whom tickets are waiting for, with their groups of today; none if they cannot sign in."""
    mine = GroupMembership.objects.filter(person=person, person__accounts__is_active=True)
    groups = tuple(mine.values_list("group_id", flat=True).distinct())
    return Reviewer(person=person, groups=groups, one_person=one_person)


def needs_count(person: Person, *, one_person: bool) -> int:
    """How many tickets need this person, counted no further than MOST_COUNTED."""
    walks = needing(reviewer(person, one_person=one_person))
    counts = (walk.values("pk")[:MOST_COUNTED].count() for walk in walks)
    return min(sum(counts), MOST_COUNTED)


def next_needing(person: Person, *, one_person: bool, after: UUID) -> UUID | None:
    """The most pressing ticket that needs this person, other than `after`."""
    for walk in needing(reviewer(person, one_person=one_person)):
        found = walk.order_by("approval_expires_at", "pk").exclude(uid=after)
        uid = found.values_list("uid", flat=True).first()
        if uid is not None:
            return uid
    return None


def needing(who: Reviewer) -> tuple[QuerySet[Ticket], QuerySet[Ticket]]:
    """Unknown outcomes and pending tickets that wait for this person."""
    return (
        Ticket.objects.filter(UNRESOLVED, is_asked(who)),
        Ticket.objects.filter(PENDING, is_awaited(who)),
    )


def is_awaited(who: Reviewer) -> Q:
    """Of pending tickets: those on which this person's approval is awaited.

    Who owned the agent may reject, but is not waited for. Never unknown to the database, so that
    its negation says exactly the rest.
    """
    withdrawn = Value(Decision.Verdict.WITHDRAW.value)
    mine = Decision.objects.filter(
        ticket=OuterRef("pk"), revision=OuterRef("revision"), person=who.person
    ).order_by("-created_at", "-pk")
    unvoted = Exact(Coalesce(Subquery(mine.values("verdict")[:1]), withdrawn), withdrawn)
    behind = Q(person=who.person)
    if who.one_person:
        behind &= Q(obligations__four_eyes=True)
    return is_asked(who) & Q(unvoted) & ~behind


def is_asked(who: Reviewer) -> Q:
    """Tickets that ask a group in which this person votes."""
    return Q(IsNull(asked_of(who.groups), False))  # noqa: FBT003 (the lookup's right-hand side)
