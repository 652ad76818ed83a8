"""Who may see which tickets. Every other selector starts from here.

A ticket is visible to its agent's team, to the groups named in its obligations (and to whoever
stands in for one of their members), to the person who owned the agent, to auditors and to admins.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from approvals.models import Person, TeamMembership, Ticket
from approvals.selectors.absence import voting_groups

Asked = Ticket.groups.through  # which ticket asks which group


def sees_everything(person: Person) -> bool:
    """Admins and auditors; neither has a vote by it."""
    return person.is_admin or person.is_auditor


def tickets_visible_to(person: Person) -> QuerySet[Ticket]:
    """The tickets this person may see."""
    if sees_everything(person):
        return Ticket.objects.all()
    teams = TeamMembership.objects.filter(person=person).values("team")
    asked = IsNull(asked_of(voting_groups(person)), False)  # noqa: FBT003 (the lookup's right-hand side)
    return Ticket.objects.filter(Q(team__in=teams) | Q(asked) | Q(person=person))


def asked_of(groups: Collection[UUID] | QuerySet[Any]) -> Subquery:
    """An expression over tickets that is NULL where none of these groups is asked.

    One value of one row, and no EXISTS: that may be turned into a join with every ticket that
    was ever asked of the groups, where this is a look into an index for each ticket met.
    """
    asked = Asked.objects.filter(ticket=OuterRef("pk"), reviewergroup__in=groups)
    return Subquery(asked.values("ticket_id")[:1])


def newest_visible_to(
    person: Person, *also: Q, before: int | None, limit: int, **conditions: object
) -> QuerySet[Ticket]:
    """At most `limit` visible tickets that meet the conditions, newest first, before a key.

    Each reason to see a ticket is looked up by itself along an index, newest first and bounded,
    so that whoever sees few of many tickets does not wait for a look at all of them.
    """
    if before is not None:
        conditions["pk__lt"] = before
    newest = Ticket.objects.filter(*also, **conditions).order_by("-pk")
    if sees_everything(person):
        return newest[:limit]
    seen = Q(pk__in=newest.filter(person=person).values("pk")[:limit])
    for team in TeamMembership.objects.filter(person=person).values_list("team_id", flat=True):
        seen |= Q(pk__in=newest.filter(team_id=team).values("pk")[:limit])
    for (group,) in voting_groups(person):
        asked = _newest_asked(group, newest, before=before)
        seen |= Q(pk__in=asked.values("ticket_id")[:limit])
    return newest.filter(seen)[:limit]


def _newest_asked(group: UUID, newest: QuerySet[Ticket], *, before: int | None) -> QuerySet[Any]:
    """The rows that say that this group was asked, the newest ticket first."""
    asked = Asked.objects.filter(reviewergroup_id=group, ticket__in=newest.order_by())
    if before is not None:
        asked = asked.filter(ticket_id__lt=before)
    return asked.order_by("-ticket_id")


def may_see(person: Person, ticket: Ticket) -> bool:
    """Whether this person may see this ticket."""
    return tickets_visible_to(person).filter(pk=ticket.pk).exists()
