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
    return Ticket.objects.filter(is_visible_to(person))


def is_visible_to(person: Person) -> Q:
    """The condition on tickets that this person may see them."""
    if sees_everything(person):
        return Q()
    teams = TeamMembership.objects.filter(person=person).values("team")
    asked = IsNull(asked_of(voting_groups(person)), False)  # noqa: FBT003 (the lookup's right-hand side)
    return Q(team__in=teams) | Q(asked) | Q(person=person)


def asked_of(groups: Collection[UUID] | QuerySet[Any]) -> Subquery:
    """An expression over tickets that is NULL where none of these groups is asked.

    One value of one row, and no EXISTS: that may be turned into a join with every ticket that
    was ever asked of the groups, where this is a look into an index for each ticket met.
    """
    asked = Asked.objects.filter(ticket=OuterRef("pk"), reviewergroup__in=groups)
    return Subquery(asked.values("ticket_id")[:1])


def may_see(person: Person, ticket: Ticket) -> bool:
    """Whether this person may see this ticket."""
    return tickets_visible_to(person).filter(pk=ticket.pk).exists()
