"""What needs a person: the one place that says so, and how much it is without loading any of it.

Every page's frame asks it. Two walks along two small partial indexes, the open tickets and the
outcomes that nobody looked into; each ticket met costs a look into a unique index, never a join
with what all groups were ever asked.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db.models import (
    Case,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from approvals.domain.states import State
from approvals.models import Decision, Edit, Ticket
from approvals.selectors.conversation import asks
from approvals.selectors.handover import handed_away
from approvals.selectors.readers import Reviewer
from approvals.selectors.snoozing import put_away
from approvals.selectors.visibility import is_asked_of, tickets_visible_to

MOST_COUNTED: Final = 100
PENDING: Final = Q(ended_at__isnull=True, state=State.PENDING)
RISK_RANKS: Final = {"high": 0, "medium": 1}
LEAST_RANK: Final = 2
RISK_ORDER: Final = Case(
    *(When(risk=risk, then=Value(rank)) for risk, rank in RISK_RANKS.items()),
    default=Value(LEAST_RANK),
    output_field=IntegerField(),
)
UNRESOLVED: Final = Q(state=State.OUTCOME_UNKNOWN, annotated_at__isnull=True)


def needs_count(who: Reviewer) -> int:
    """How many tickets need this person, counted no further than MOST_COUNTED; one query."""
    walks = (*needing(who), asking(who))
    first, *others = (
        Ticket.objects.filter(pk__in=walk.values("pk")[:MOST_COUNTED]).values_list("pk")
        for walk in walks
    )
    return min(first.union(*others, all=True).count(), MOST_COUNTED)


def asking(who: Reviewer) -> QuerySet[Ticket]:
    """Visible pending tickets on which this person's answer is awaited."""
    return tickets_visible_to(who) & asks(who.person.pk)


def next_needing(who: Reviewer, *, after: UUID) -> UUID | None:
    """The most pressing ticket that needs this person, other than `after`, as the inbox ranks."""
    for walk in needing(who):
        ranked = walk.annotate(rank=RISK_ORDER).order_by("approval_expires_at", "rank", "pk")
        found = ranked.exclude(uid=after)
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
    awaited = is_asked_of(who.groups)
    for holder, groups in who.lent.items():
        awaited |= is_asked_of(groups) & ~_behind(who, holder) & _unvoted(holder)
    me = who.person.pk
    away = Q(Exists(put_away(me))) | handed_away(me, who.groups)
    return awaited & _unvoted(me) & ~_behind(who, me) & ~away


def is_asked(who: Reviewer) -> Q:
    """Tickets that ask a group in which this person votes."""
    return is_asked_of(who.voting_groups)


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
