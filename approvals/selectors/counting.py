"""What needs a person: the one place that says so, and how much it is without loading any of it.

Every page's frame asks it. Two walks along two small partial indexes, the open tickets and the
outcomes that nobody looked into; each ticket met costs a look into a unique index, never a join
with what all groups were ever asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, IsNull

from approvals.domain.states import State
from approvals.models import Decision, Edit, Person, Ticket
from approvals.selectors.absence import votes_in_hand
from approvals.selectors.conversation import asks
from approvals.selectors.handover import handed_away
from approvals.selectors.snoozing import put_away
from approvals.selectors.visibility import asked_of

MOST_COUNTED: Final = 100
PENDING: Final = Q(ended_at__isnull=True, state=State.PENDING)
UNRESOLVED: Final = Q(state=State.OUTCOME_UNKNOWN, annotated_at__isnull=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """A person with the groups that they vote in; `one_person` as for a vote.

    `lent` are the groups in which they have the vote of somebody who is away, by that person.
    """

    person: Person
    groups: tuple[UUID, ...]
    lent: Mapping[UUID, Collection[UUID]]
    one_person: bool


def reviewer(person: Person, *, one_person: bool) -> Reviewer:
    """Whom tickets are waiting for, with their groups of today; none if they cannot sign in."""
    own: set[UUID] = set()
    lent: dict[UUID, set[UUID]] = {}
    for holder, group in votes_in_hand(person):
        (own if holder == person.pk else lent.setdefault(holder, set())).add(group)
    return Reviewer(person=person, groups=tuple(own), lent=lent, one_person=one_person)


def needs_count(person: Person, *, one_person: bool) -> int:
    """How many tickets need this person, counted no further than MOST_COUNTED."""
    walks = (*needing(reviewer(person, one_person=one_person)), asks(person.pk))
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

    Who owned the agent, or under four eyes edited the call, may reject, but is not waited for; nor
    is anybody in their place, nor whoever handed the ticket on, or has put it away for now. Never
    unknown to the database, so that its negation says exactly the rest.
    """
    awaited = _asks(who.groups)
    for holder, groups in who.lent.items():
        awaited |= _asks(groups) & ~_behind(who, holder) & _unvoted(holder)
    me = who.person.pk
    away = Q(Exists(put_away(me))) | handed_away(me, who.groups)
    return awaited & _unvoted(me) & ~_behind(who, me) & ~away


def is_asked(who: Reviewer) -> Q:
    """Tickets that ask a group in which this person votes."""
    return _asks({*who.groups, *(group for groups in who.lent.values() for group in groups)})


def _asks(groups: Collection[UUID]) -> Q:
    return Q(IsNull(asked_of(groups), False))  # noqa: FBT003 (the lookup's right-hand side)


def _behind(who: Reviewer, person: UUID) -> Q:
    """Calls that this person submitted or under four eyes edited: theirs is not the approval."""
    four_eyes = Q(obligations__four_eyes=True)
    edited = Q(Exists(Edit.objects.filter(ticket=OuterRef("pk"), person=person))) & four_eyes
    return (Q(person=person) & four_eyes if who.one_person else Q(person=person)) | edited


def _unvoted(person: UUID) -> Q:
    withdrawn = Value(Decision.Verdict.WITHDRAW.value)
    votes = Decision.objects.filter(
        ticket=OuterRef("pk"), revision=OuterRef("revision"), person=person
    ).order_by("-created_at", "-pk")
    return Q(Exact(Coalesce(Subquery(votes.values("verdict")[:1]), withdrawn), withdrawn))
